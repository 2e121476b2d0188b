package config

import (
	"reflect"
	"slices"
	"strings"
)

// Changed lists the keys of the file that differ between two configurations,
// but for devices, device_files and profiles, which a running program takes
// anew when it is told to.
func Changed(before, after *Config) []string {
	var keys []string
	a, b := reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem()
	for i := range a.NumField() {
		key, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("yaml"), ",")
		if key == "" || slices.Contains([]string{"devices", "device_files", "profiles"}, key) {
			continue
		}
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			keys = append(keys, key)
		}
	}
	return keys
}

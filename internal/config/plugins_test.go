package config

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestPluginSettings(t *testing.T) {
	if _, err := Load("testdata/cases/plugins-good/config.yaml"); err == nil {
		t.Fatal("relative to its own folder the files are not there")
	}
	text := `
data_dir: d
plugins:
  memory: 512MiB
  third_party:
    - {name: owl, path: load.go, sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855,
       args: [-I, doc.go, --x], pinned: ["doc.go=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"], config: {rigs: [{kw: 1}]}}
`
	c, err := Parse(filepath.Join("..", "config", "c.yaml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	owl := &c.Plugins.ThirdParty[0]
	doc := filepath.Join("..", "config", "doc.go")
	if files := owl.PinnedFiles(); len(files) != 1 || files[0].Path != doc || !slices.Equal(owl.Args, []string{"-I", doc, "--x"}) {
		t.Errorf("pinned %v, args %v", files, owl.Args)
	}
	if n, err := c.Plugins.MemoryBytes(); n != 512<<20 || err != nil {
		t.Errorf("memory %d, %v", n, err)
	}
	if got := c.StoreDir(); got != filepath.Join("..", "config", "d", "plugins") {
		t.Errorf("store %s", got)
	}
	if got := c.At("$.plugins.third_party[0].config.rigs[0].kw"); got != filepath.Join("..", "config", "c.yaml")+":7:139" {
		t.Errorf("at %s", got)
	}
	c.Plugins.Folder = "p"
	if got := c.Plugins.LockFile(); got != filepath.Join("p", "plugins.lock") {
		t.Errorf("lock %s", got)
	}
	d := Default()
	if d.At("$.plugins") != "" || d.File() != "" {
		t.Error("defaults stand in no file")
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "2GiB": 2 << 30, "33554432": 32 << 20, "32768KiB": 32 << 20, "16TiB": 16 << 40,
		"": -1, "1": -1, "31MiB": -1, "17TiB": -1, "999999999999999TiB": -1, "2GB": -1, "-1GiB": -1, "2.5GiB": -1, "99999999999999999999": -1,
	} {
		p := Plugins{Memory: text}
		if n, err := p.MemoryBytes(); n != want && (err == nil || want >= 0) {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
}

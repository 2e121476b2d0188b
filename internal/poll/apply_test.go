package poll

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// running starts a poller; stop ends it and returns Run's error.
func running(t *testing.T, cfg Config) (p *Poller, stop func() error) {
	t.Helper()
	cfg.Logger = quiet()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	for p.Status()[0].NextTurn.IsZero() {
		time.Sleep(time.Millisecond)
	}
	return p, func() error { cancel(); return <-done }
}

// TestApplyUnderLoad changes half of a fleet again and again while all of it
// is read: of the untouched devices no reading is lost or doubled, no turn
// missed, and their sessions stay.
func TestApplyUnderLoad(t *testing.T) {
	f, blocking, c := newStarterDriver(), newFakeDriver(), new(collector)
	p := grouped(t)
	single := fakeDevice("", "", 0).Profile
	var stay, come []drivers.Device
	for i := range 30 {
		id := fmt.Sprint("stay", i)
		stay = append(stay, starterDevice(id, 200*time.Millisecond, single))
		f.delay[id] = time.Duration(i) * time.Millisecond
		come = append(come, starterDevice(fmt.Sprint("come", i), 200*time.Millisecond, p))
		f.delay[fmt.Sprint("come", i)] = time.Duration(i) * time.Millisecond
		if i%3 == 0 {
			stay = append(stay, fakeDevice(fmt.Sprint("blocking", i), "h", 200*time.Millisecond))
			come = append(come, fakeDevice(fmt.Sprint("comeblocking", i), "h", 200*time.Millisecond))
		}
	}
	poller, stop := running(t, Config{Devices: append(stay, come...), Drivers: drivers.NewRegistry(f, blocking), Sink: c.sink})
	random := rand.New(rand.NewPCG(1, 2))
	end := time.Now().Add(3 * time.Second)
	applied := 0
	for time.Now().Before(end) {
		list := append([]drivers.Device{}, stay...)
		for _, d := range come {
			switch random.IntN(4) {
			case 0: // gone
				continue
			case 1:
				d.Ratios = []drivers.Ratio{{Factor: 1 + float64(random.IntN(3))}}
			case 2:
				d.Timeout = time.Duration(1+random.IntN(3)) * time.Second
			}
			list = append(list, d)
		}
		random.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
		change, err := poller.Apply(list)
		if err != nil {
			t.Fatal(err)
		}
		if change.Kept < len(stay) || change.Added+change.Changed+change.Kept != len(list) {
			t.Fatalf("%+v of %d", change, len(list))
		}
		if st := poller.Status(); len(st) != len(list) || st[0].ID != list[0].ID {
			t.Fatalf("%d devices have a status", len(st))
		}
		applied++
		time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
	}
	for _, st := range poller.Status() {
		if strings.HasPrefix(st.ID, "come") {
			continue
		}
		if st.Missed != 0 || st.Failures != 0 || st.Reads < 13 {
			t.Errorf("%+v", st)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if f.doubled != 0 || f.sessions != 0 || blocking.sessions != 0 {
		t.Errorf("%d reads of one session at once, %d and %d sessions left", f.doubled, f.sessions, blocking.sessions)
	}
	got := c.byDevice()
	for _, d := range stay {
		want := f.reads[d.ID+"0"] + blocking.reads[d.ID]
		checkSequence(t, d.ID, got[d.ID], want)
	}
	t.Logf("%d changes", applied)
}

// TestApplyDrains lets a read under way come home before its device goes.
func TestApplyDrains(t *testing.T) {
	f, c := newStarterDriver(), new(collector)
	single := fakeDevice("", "", 0).Profile
	slow, other := starterDevice("slow", time.Second, single), starterDevice("other", time.Second, single)
	f.delay["slow"] = 300 * time.Millisecond
	poller, stop := running(t, Config{Devices: []drivers.Device{slow, other}, Drivers: drivers.NewRegistry(f), Sink: c.sink})
	for {
		f.mu.Lock()
		n := f.reads["slow0"]
		f.mu.Unlock()
		if n > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if change, err := poller.Apply([]drivers.Device{other}); err != nil || change != (Change{Removed: 1, Kept: 1}) {
		t.Errorf("%+v, %v", change, err)
	}
	if f.sessions != 1 || len(poller.Status()) != 1 {
		t.Errorf("%d sessions", f.sessions)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	checkSequence(t, "slow", c.byDevice()["slow"], 1)
	if _, err := poller.Apply(nil); err == nil || !strings.Contains(err.Error(), "only while the poller runs") {
		t.Errorf("after the end: %v", err)
	}
}

// TestApplyRefuses leaves everything as it is where anything is wrong, be it
// only when the session is opened.
func TestApplyRefuses(t *testing.T) {
	f, c := newStarterDriver(), new(collector)
	single := fakeDevice("", "", 0).Profile
	a, b := starterDevice("a", 200*time.Millisecond, single), starterDevice("b", 200*time.Millisecond, single)
	poller, stop := running(t, Config{Devices: []drivers.Device{a, b}, Drivers: drivers.NewRegistry(f), Sink: c.sink})
	time.Sleep(250 * time.Millisecond)
	moved := b
	moved.URL = &url.URL{Scheme: "starter", Host: "elsewhere"}
	ratio := a
	ratio.Ratios = []drivers.Ratio{{Factor: 2}}
	broken := starterDevice("c", time.Second, single)
	broken.URL = &url.URL{Scheme: "starter", Host: "broken"}
	for name, list := range map[string][]drivers.Device{
		"twice":   {a, b, b},
		"refused": {ratio, moved, broken},
	} {
		if change, err := poller.Apply(list); err == nil || change != (Change{}) {
			t.Errorf("%s: %+v, %v", name, change, err)
		}
	}
	if f.sessions != 2 {
		t.Errorf("%d sessions", f.sessions)
	}
	before := poller.Status()
	time.Sleep(500 * time.Millisecond)
	for i, st := range poller.Status() {
		if st.State != OK || st.Reads < before[i].Reads+2 || st.URL != "starter://h" {
			t.Errorf("%+v", st)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	for _, id := range []string{"a", "b"} {
		checkSequence(t, id, c.byDevice()[id], f.reads[id+"0"])
	}
}

// TestApplyCannotGoBack refuses a change and then the sessions that were there
// before: the device says so, others go on, and the next change mends it.
func TestApplyCannotGoBack(t *testing.T) {
	f, c := newStarterDriver(), new(collector)
	single := fakeDevice("", "", 0).Profile
	a, b := starterDevice("a", 200*time.Millisecond, single), starterDevice("b", 200*time.Millisecond, single)
	poller, stop := running(t, Config{Devices: []drivers.Device{a, b}, Drivers: drivers.NewRegistry(f), Sink: c.sink})
	time.Sleep(250 * time.Millisecond)
	moved := b
	moved.URL = &url.URL{Scheme: "starter", Host: "elsewhere"}
	f.mu.Lock()
	f.refuse = true
	f.mu.Unlock()
	if _, err := poller.Apply([]drivers.Device{a, moved}); !errors.Is(err, errBroken) {
		t.Errorf("a change without a session: %v", err)
	}
	time.Sleep(300 * time.Millisecond)
	if st := poller.Status(); st[0].State != OK || st[1].State != Failing || !strings.Contains(st[1].LastError, "apply the devices again") {
		t.Errorf("%+v", st)
	}
	f.mu.Lock()
	f.refuse = false
	f.mu.Unlock()
	if change, err := poller.Apply([]drivers.Device{a, b}); err != nil || change != (Change{Changed: 1, Kept: 1}) {
		t.Errorf("%+v, %v", change, err)
	}
	time.Sleep(300 * time.Millisecond)
	if st := poller.Status()[1]; st.State != OK {
		t.Errorf("%+v", st)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if f.sessions != 0 {
		t.Errorf("%d sessions left", f.sessions)
	}
}

// TestApplyKeepsPhase changes a ratio: the device keeps its counts and turns.
func TestApplyKeepsPhase(t *testing.T) {
	f, c := newStarterDriver(), new(collector)
	single := fakeDevice("", "", 0).Profile
	a := starterDevice("a", 400*time.Millisecond, single)
	poller, stop := running(t, Config{Devices: []drivers.Device{a}, Drivers: drivers.NewRegistry(f), Sink: c.sink})
	time.Sleep(500 * time.Millisecond)
	before := poller.Status()[0]
	a.Ratios = []drivers.Ratio{{Factor: 3}}
	if change, err := poller.Apply([]drivers.Device{a}); err != nil || change.Changed != 1 {
		t.Errorf("%+v, %v", change, err)
	}
	after := poller.Status()[0]
	if after.NextTurn.Sub(before.NextTurn)%(400*time.Millisecond) != 0 || after.Reads < before.Reads || after.State != OK {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if change, err := poller.Apply([]drivers.Device{a}); err != nil || change.Kept != 1 {
		t.Errorf("%+v, %v", change, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestApplySubscription takes a subscription away and brings it back.
func TestApplySubscription(t *testing.T) {
	f, c := newFakeDriver(), new(collector)
	sub := fakeDevice("sub", "subscribed", 200*time.Millisecond)
	sub.Mode = drivers.Subscribe
	other := fakeDevice("other", "h", 200*time.Millisecond)
	poller, stop := running(t, Config{Devices: []drivers.Device{other, sub}, Drivers: drivers.NewRegistry(f), Sink: c.sink})
	time.Sleep(100 * time.Millisecond)
	if change, err := poller.Apply([]drivers.Device{other}); err != nil || change.Removed != 1 {
		t.Errorf("%+v, %v", change, err)
	}
	if f.sessions != 1 {
		t.Errorf("%d sessions", f.sessions)
	}
	if change, err := poller.Apply([]drivers.Device{other, sub}); err != nil || change.Added != 1 {
		t.Errorf("%+v, %v", change, err)
	}
	time.Sleep(300 * time.Millisecond)
	if st := poller.Status()[1]; st.State != OK {
		t.Errorf("%+v", st)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	checkSequence(t, "sub", c.byDevice()["sub"], f.reads["sub"])
}

// TestSameLooksAtEveryField changes each field of a device by itself.
func TestSameLooksAtEveryField(t *testing.T) {
	a := fakeDevice("a", "h", time.Second)
	other := fakeDevice("a", "h", time.Second)
	if !same(&a, &other, sameProfile{}) {
		t.Error("equal devices with profiles of their own differ")
	}
	for i := range reflect.TypeFor[drivers.Device]().NumField() {
		b := a
		f := reflect.ValueOf(&b).Elem().Field(i)
		switch v := f.Addr().Interface().(type) {
		case *string:
			*v += "x"
		case *drivers.Mode:
			*v = drivers.Subscribe
		case *time.Duration:
			*v += time.Second
		case **url.URL:
			*v = &url.URL{Scheme: "fake", Host: "elsewhere"}
		case **profile.Profile:
			*v = &profile.Profile{Name: "fake", OPCUA: &profile.OPCUA{Points: []profile.OPCUAPoint{{Quantity: meter.ActivePowerA}}}}
		case *[]drivers.Ratio:
			*v = []drivers.Ratio{{Factor: 2}}
		case *map[string]string:
			*v = map[string]string{"a": "b"}
		case *map[string]time.Duration:
			*v = map[string]time.Duration{"a": time.Second}
		default:
			t.Fatalf("%s is of a kind that this test does not know", reflect.TypeFor[drivers.Device]().Field(i).Name)
		}
		if same(&a, &b, sameProfile{}) {
			t.Errorf("a change of %s goes unnoticed", reflect.TypeFor[drivers.Device]().Field(i).Name)
		}
	}
	b := a
	b.Mode = drivers.Poll
	if !same(&a, &b, sameProfile{}) {
		t.Error("no mode and poll differ")
	}
}

var errBroken = errors.New("no session")

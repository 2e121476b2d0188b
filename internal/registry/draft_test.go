package registry

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func draftUses(t *testing.T) *Uses {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "configs", "uses.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	uses, err := ParseUses("uses.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	return uses
}

// What is drafted must be accepted by the strict reader, with nothing made up.
func TestDraftIsARegistry(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "registry")
	uses := draftUses(t)
	if err := WriteDraft(dir, uses, []DraftMeter{{"M,1", "dwelling"}, {"M-2", "office"}}); err != nil {
		t.Fatal(err)
	}
	network, report, err := LoadDir(dir, uses, WithTariffs([]string{"some"}))
	if err != nil {
		t.Fatal(err)
	}
	if report.WarningCount() != 0 {
		t.Errorf("warnings: %v", report.Warnings)
	}
	home := network.Customer("C-M,1")
	if home == nil || home.Category != "residential" || home.Class != "residential" || home.DeclaredUse != "dwelling" {
		t.Errorf("household %+v", home)
	}
	if home.ContractedKVA != 0 || home.TariffID != "" {
		t.Errorf("made up: %+v", home)
	}
	if office := network.Customer("C-M-2"); office == nil || office.Category != "commercial" || office.Class != "ordinary" {
		t.Errorf("office %+v", office)
	}
	if err := WriteDraft(dir, uses, nil); err == nil || !strings.Contains(err.Error(), "name another folder") {
		t.Errorf("overwrote a registry: %v", err)
	}
	if err := WriteDraft(t.TempDir(), uses, []DraftMeter{{"M", "castle"}}); err == nil || !strings.Contains(err.Error(), "dwelling") {
		t.Errorf("unknown use: %v", err)
	}
}

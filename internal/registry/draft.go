package registry

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gridwarden/gridwarden/internal/grid"
)

// DraftMeter is a meter of which no more is known than its declared use.
type DraftMeter struct {
	MeterID string
	Use     string // code of the catalogue of uses
}

// draftRatedKVA stands for the unknown rating of the draft's transformer. It
// has no meter, so that nothing is judged against it.
const draftRatedKVA = 1000

// WriteDraft writes transformers.csv, customers.csv and usage_points.csv for
// meters that come without records: a customer and usage point each, named
// after the meter, behind one stand-in transformer. What is not known is left
// empty, and detectors treat it as unknown; category and class follow
// from the declared use. Files that are there already are not overwritten.
func WriteDraft(dir string, uses *Uses, meters []DraftMeter) error {
	transformers := [][]string{
		{"transformer_id", "feeder_id", "substation_id", "rated_kva"},
		{"T-DRAFT", "F-DRAFT", "S-DRAFT", strconv.Itoa(draftRatedKVA)},
	}
	customers := [][]string{{"customer_id", "category", "class", "declared_use", "contracted_kva", "tariff_id"}}
	points := [][]string{{"usage_point_id", "meter_id", "customer_id", "transformer_id"}}
	for _, m := range meters {
		use := uses.Use(m.Use)
		if use == nil {
			return fmt.Errorf("no declared use %q; give one of %s", m.Use, codes(uses))
		}
		category := grid.Commercial
		if len(use.Categories) > 0 {
			category = grid.Category(use.Categories[0])
		}
		class := grid.ClassOrdinary
		if category == grid.Residential {
			class = grid.ClassResidential
		}
		customers = append(customers, []string{"C-" + m.MeterID, string(category), string(class), use.Code, "", ""})
		points = append(points, []string{"UP-" + m.MeterID, m.MeterID, "C-" + m.MeterID, "T-DRAFT"})
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("registry folder: %w", err)
	}
	for name, rows := range map[string][][]string{"transformers.csv": transformers, "customers.csv": customers, "usage_points.csv": points} {
		if err := writeNew(filepath.Join(dir, name), rows); err != nil {
			return err
		}
	}
	return nil
}

func codes(uses *Uses) string {
	list := ""
	for i, u := range uses.All() {
		if i > 0 {
			list += ", "
		}
		list += u.Code
	}
	return list
}

func writeNew(path string, rows [][]string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640) //nolint:gosec // the path is the user's own
	if err != nil {
		return fmt.Errorf("registry file: %w; name another folder, or remove the file", err)
	}
	w := csv.NewWriter(f)
	if err := w.WriteAll(rows); err != nil {
		_ = f.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

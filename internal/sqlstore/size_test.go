package sqlstore

import "testing"

func TestSize(t *testing.T) { eachEngine(t, size) }

func size(t *testing.T, db *DB) {
	before, err := db.Size(t.Context())
	if err != nil || before < 50_000 {
		t.Fatalf("an empty database has %d bytes, %v", before, err)
	}
	fill(t, db)
	if after, err := db.Size(t.Context()); err != nil || after < before+100_000 {
		t.Errorf("a filled database has %d bytes, an empty one %d, %v", after, before, err)
	}
}

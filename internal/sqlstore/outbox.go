package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Letter is a message for the stream that was stored with the change that it
// tells of.
type Letter struct {
	ID         int64
	Topic, Key string
	MsgID      string // the stream drops what comes twice under one id
	Data       []byte
}

// Topics of the letters that this package writes.
const (
	topicMeterDays  = "METER_DAYS"
	topicFindings   = "FINDINGS"
	topicCaseEvents = "CASE_EVENTS"
)

// relayFor is how long a host that took letters has to get one of them out
// before another host may take them.
const relayFor = 15 * time.Second

// Outbox gives letters out until they are done with.
type Outbox struct{ db *DB }

// Outbox returns the letters that wait for the stream.
func (db *DB) Outbox() *Outbox { return &Outbox{db} }

// Take returns the oldest letters, at most limit; they are given out again
// until they are Done. Where several hosts share the database one of them gets
// letters; the others get none, until that one has been silent, or has done
// none of them, for 15 seconds.
func (o *Outbox) Take(ctx context.Context, limit int) ([]Letter, error) {
	var letters []Letter
	take := func(c conn) error {
		letters = letters[:0]
		return c.query(ctx, func(rows *sql.Rows) error {
			var l Letter
			if err := rows.Scan(&l.ID, &l.Topic, &l.Key, &l.MsgID, &l.Data); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			letters = append(letters, l)
			return nil
		}, `SELECT id, topic, key, msg_id, data FROM outbox ORDER BY id LIMIT ?`, limit)
	}
	var err error
	if o.db.engine == sqliteEngine {
		err = take(o.db.read())
	} else {
		err = o.db.Write(ctx, func(tx *Tx) error {
			if mine, err := o.db.relays(ctx, tx.conn, false); err != nil || !mine {
				return err
			}
			return take(tx.conn)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("take letters: %w", err)
	}
	return letters, nil
}

// relays reports whether this host is the one that relays letters. It becomes
// it where no other is, and stays it for a while more where it says that it
// got some out.
func (db *DB) relays(ctx context.Context, c conn, out bool) (bool, error) {
	n, err := c.exec(ctx, `INSERT INTO outbox_relay (one, host, until) VALUES (1, ?, now() + ? * interval '1 second')
		ON CONFLICT (one) DO UPDATE SET host = excluded.host, until = excluded.until
		WHERE outbox_relay.until <= now() OR outbox_relay.host = excluded.host AND ?`, db.host, relayFor.Seconds(), out)
	if err != nil || n > 0 {
		return n > 0, err
	}
	var mine bool
	if err := c.queryRow(ctx, `SELECT host = ? FROM outbox_relay`, db.host).Scan(&mine); err != nil {
		return false, fmt.Errorf("who relays: %w", err)
	}
	return mine, nil
}

// Done forgets letters that are in the stream.
func (o *Outbox) Done(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	err := o.db.Write(ctx, func(tx *Tx) error {
		if o.db.engine == postgresEngine {
			if _, err := o.db.relays(ctx, tx.conn, true); err != nil {
				return err
			}
		}
		return eachIn(tx.conn, ids, func(in string, args []any) error {
			_, err := tx.exec(ctx, `DELETE FROM outbox WHERE id `+in, args...)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("forget letters: %w", err)
	}
	return nil
}

// post puts letters into the outbox.
func (c conn) post(ctx context.Context, letters []Letter) error {
	return c.insertRows(ctx, "outbox", []string{"topic", "key", "msg_id", "data"}, "", len(letters), func(i int) ([]any, error) {
		l := &letters[i]
		return []any{l.Topic, l.Key, l.MsgID, l.Data}, nil
	})
}

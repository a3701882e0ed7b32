package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"adsidecar/e2e/stack"
)

// storedRecord is a record as a store has it, read past the service.
type storedRecord struct {
	profile
	Owner   string `json:"owner"`
	Version int64  `json:"version"`
}

// recordsOfFile reads the embedded store of a service that does not run: all records by user ID.
func recordsOfFile(t *testing.T, s *stack.Stack) map[string]storedRecord {
	t.Helper()
	db, err := bbolt.Open(s.UsersFile(), 0o600, &bbolt.Options{ReadOnly: true, Timeout: 5 * time.Second})
	require.NoError(t, err)
	records := map[string]storedRecord{}
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("records")).ForEach(func(id, value []byte) error {
			var r storedRecord
			err := json.Unmarshal(value, &r)
			records[string(id)] = r
			return err
		})
	}))
	require.NoError(t, db.Close())
	return records
}

// recordsOfTable reads the table in moto: all records of an owner by user ID.
func recordsOfTable(t *testing.T, s *stack.Stack, owner *userAccount) map[string]storedRecord {
	t.Helper()
	client := dynamodb.New(dynamodb.Options{
		Region: stack.Region, BaseEndpoint: &s.Moto.Endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: stack.AccessKey, SecretAccessKey: stack.AccessKey}, nil
		}),
	})
	records := map[string]storedRecord{}
	pages := dynamodb.NewScanPaginator(client, &dynamodb.ScanInput{TableName: &s.UsersTable, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(deadline(t, 20*time.Second))
		require.NoError(t, err)
		for _, item := range page.Items {
			text, err := json.Marshal(plainItem(item))
			require.NoError(t, err)
			var r struct {
				UserID string `json:"userId"`
				storedRecord
			}
			require.NoError(t, json.Unmarshal(text, &r))
			if r.Owner == owner.sub {
				records[r.UserID] = r.storedRecord
			}
		}
	}
	return records
}

// plainItem is an item without the types of its attributes. Of other types than a record's it keeps nothing, which shows.
func plainItem(item map[string]types.AttributeValue) map[string]any {
	plain := map[string]any{}
	for name, attribute := range item {
		switch a := attribute.(type) {
		case *types.AttributeValueMemberS:
			plain[name] = a.Value
		case *types.AttributeValueMemberN:
			plain[name] = json.Number(a.Value)
		case *types.AttributeValueMemberM:
			plain[name] = plainItem(a.Value)
		}
	}
	return plain
}

// ledger is what the clients of a service know: which writes were acknowledged, and which were sent and were not.
type ledger []*ledgerWriter

// newLedger makes a writer for each connection, which updates each of its records so many times.
func newLedger(conns []*userConn, updates int64) ledger {
	var l ledger
	for i, c := range conns {
		l = append(l, &ledgerWriter{conn: c, updates: updates, name: fmt.Sprintf("%d-", i), records: map[string]*ledgerRecord{}})
	}
	return l
}

// ledgerWriter creates and updates records of its own, one request after the other. It is not safe for concurrent use.
type ledgerWriter struct {
	conn    *userConn
	updates int64
	name    string // what its marks begin with
	steps   int
	creates int
	last    *ledgerRecord // what it updates next; nil: it creates
	records map[string]*ledgerRecord
	fresh   []*ledgerRecord // not read back yet
	doubts  []*doubt
}

// ledgerRecord is a record as its writer knows it.
type ledgerRecord struct {
	creation
	mark, key string // of the create
	now       string // the present mark
	version   int64
}

// doubt is a write that was not acknowledged.
type doubt struct {
	mark, key string
	of        *ledgerRecord // what was to be updated; nil: it was a create
	cut       bool          // its answer had begun: it was applied
	id        string        // of the record that the create made all the same; "": none
}

// step creates a record, every second time with a key, or updates the one that it has created last. A write that fails is in doubt; the
// error says how it failed.
func (w *ledgerWriter) step() error {
	w.steps++
	mark := fmt.Sprintf("%s%d", w.name, w.steps)
	if r := w.last; r != nil && r.version <= w.updates {
		got, version, err := w.conn.update(r.UserID, profileOf(mark), "")
		if err != nil {
			w.last = nil
			w.doubts = append(w.doubts, &doubt{mark: mark, of: r, cut: isCut(err)})
			return err
		}
		if got != profileOf(mark) || version != r.version+1 {
			return fmt.Errorf("update: answered version %d after %d, and %+v", version, r.version, got)
		}
		r.now, r.version = mark, version
		return nil
	}
	key := ""
	if w.creates++; w.creates%2 == 0 {
		key = "key-" + mark
	}
	made, err := w.conn.create(profileOf(mark), key)
	if err != nil {
		w.last = nil
		w.doubts = append(w.doubts, &doubt{mark: mark, key: key, cut: isCut(err)})
		return err
	}
	w.last = w.add(made, mark, key)
	return nil
}

func (w *ledgerWriter) add(made creation, mark, key string) *ledgerRecord {
	r := &ledgerRecord{creation: made, mark: mark, key: key, now: mark, version: 1}
	w.records[made.UserID] = r
	w.fresh = append(w.fresh, r)
	return r
}

// outcome counts the writes that were not acknowledged, of them those that were applied all the same, and those whose answers were cut
// off.
type outcome struct{ creates, createsApplied, keyedApplied, updates, updatesApplied, cut int }

// add sums outcomes up.
func (o *outcome) add(p outcome) {
	o.creates += p.creates
	o.createsApplied += p.createsApplied
	o.keyedApplied += p.keyedApplied
	o.updates += p.updates
	o.updatesApplied += p.updatesApplied
	o.cut += p.cut
}

// settle requires that the store has what was acknowledged, that it has what was not acknowledged wholly or not at all, and that it has
// nothing else, nor anything twice. Updates are in doubt no longer then, and creates know their record.
func (l ledger) settle(t *testing.T, owner string, stored map[string]storedRecord) outcome {
	t.Helper()
	byMark := map[string]string{}
	for id, r := range stored {
		mark, err := markOf(r.profile)
		require.NoError(t, err, id)
		require.Equal(t, owner, r.Owner, id)
		require.Empty(t, byMark[mark], "two records of %s", mark)
		byMark[mark] = id
	}
	var o outcome
	known := 0
	for _, w := range l {
		for _, d := range w.doubts {
			if d.cut {
				o.cut++
				require.NotEmpty(t, byMark[d.mark], "the answer to %s was success", d.mark)
			}
			if d.of == nil {
				o.creates++
				if d.id = byMark[d.mark]; d.id != "" {
					known++
					o.createsApplied++
					if d.key != "" {
						o.keyedApplied++
					}
					require.EqualValues(t, 1, stored[d.id].Version, d.mark)
				}
				continue
			}
			o.updates++
			if byMark[d.mark] == d.of.UserID {
				o.updatesApplied++
				d.of.now, d.of.version = d.mark, d.of.version+1
			}
		}
		for id, r := range w.records {
			require.Equal(t, storedRecord{profileOf(r.now), owner, r.version}, stored[id], "the record %s of create %s", id, r.mark)
		}
		known += len(w.records)
	}
	require.Equal(t, known, len(stored), "as many records as are known") //nolint:testifylint // Len would print them all
	return o
}

// resume goes on after settle, through the gateway: creates with a key are repeated, which makes a record where there is none, and no
// other one where there is; and what was written since the last time is read back.
func (l ledger) resume(t *testing.T) {
	t.Helper()
	atOnce(t, len(l), func(i int) error { return l[i].resume() })
}

func (w *ledgerWriter) resume() error {
	for _, d := range w.doubts {
		switch {
		case d.of != nil: // settled
		case d.key == "" && d.id != "":
			w.add(creation{UserID: d.id}, d.mark, "")
		case d.key != "":
			made, err := w.conn.create(profileOf(d.mark), d.key)
			if err != nil {
				return fmt.Errorf("repeated: %w", err)
			}
			if d.id != "" && made.UserID != d.id {
				return fmt.Errorf("the repeated create %s has made %s and before that %s", d.mark, made.UserID, d.id)
			}
			w.add(made, d.mark, d.key)
		}
	}
	w.doubts = nil
	for _, r := range w.fresh {
		if err := w.conn.expect(r); err != nil {
			return err
		}
		if r.key == "" {
			continue
		}
		again, err := w.conn.create(profileOf(r.mark), r.key)
		if err != nil {
			return fmt.Errorf("repeated: %w", err)
		}
		if again != r.creation {
			return fmt.Errorf("create %s was answered %+v, and repeated %+v", r.mark, r.creation, again)
		}
	}
	w.fresh = nil
	return nil
}

// expect reads a record and expects it as its writer knows it.
func (c *userConn) expect(r *ledgerRecord) error {
	got, version, err := c.read(r.UserID)
	if err == nil && (got != profileOf(r.now) || version != r.version) {
		err = fmt.Errorf("record %s of create %s: version %d of %d, %+v", r.UserID, r.mark, version, r.version, got)
	}
	return err
}

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/e2e/stack"
)

// TestOperatorsStoreIsEmptied: where the operators' changes are lost while the control plane is down, what they have said goes on to be
// served until somebody says that it is not to be.
func TestOperatorsStoreIsEmptied(t *testing.T) {
	s := served(t, stack.Options{Campaigns: document(t, ad("a", "us", "eng"), ad("b", "us", "eng"))})
	o := operator{s.ControlPlane()}
	t.Setenv("ADSIDECAR_SERVER", o.plane.URL)
	o.ask(t, "POST", "/campaigns", ad("op", "us", "eng"), 201, nil)
	o.ask(t, "PATCH", "/campaigns/a", map[string]any{"enabled": false}, 200, nil)
	servedWithin(t, s, "op", true)
	servedWithin(t, s, "a", false)
	waitStatus(t, o.plane, func(p planeStatus) error {
		if p.Operators.Compiled != 2 {
			return fmt.Errorf("revision %d", p.Operators.Compiled)
		}
		return nil
	})
	before := publishedIndex(t, o.plane)
	file := filepath.Join(o.plane.StateDir, "operators.db")
	// without starts the control plane without what operators said, and returns that.
	without := func(t *testing.T) (lost []byte, held apiv1.Held) {
		t.Helper()
		require.NoError(t, o.plane.Stop())
		lost, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.Remove(file))
		require.NoError(t, o.plane.Start(deadline(t, 30*time.Second)))
		require.NoError(t, o.plane.WaitReady(deadline(t, 30*time.Second)))
		return lost, heldBy(t, o, "revision_lost")
	}
	// kept checks that everything is served as before.
	kept := func(t *testing.T) {
		t.Helper()
		polls(t, s, 3)
		require.Equal(t, before, publishedIndex(t, o.plane))
		servedWithin(t, s, "op", true)
		servedWithin(t, s, "a", false)
	}
	l := startLoad(t, s.Envoy(), loadOptions{Token: s.Token(), Path: stack.AdPath("us", "eng"), Ask: always(wantAd("op", "b"))})

	t.Run("what is served stays", func(t *testing.T) {
		lost, held := without(t)
		require.Equal(t, before, held.Base)
		kept(t)
		r := command{dir: t.TempDir()}.run(t, "held")
		require.Equal(t, 0, r.code, r.stderr)
		require.Contains(t, r.stdout, "revision_lost")
		require.Contains(t, r.stdout, held.Version[:12])
		require.EqualValues(t, 1, planeMetrics(t, o.plane)[`adsidecar_index_held{reason="revision_lost"}`])

		restarted(t, o.plane)
		require.Equal(t, held.Version, heldBy(t, o, "revision_lost").Version, "also after another restart")
		kept(t)

		require.NoError(t, o.plane.Stop())
		require.NoError(t, os.WriteFile(file, lost, 0o600))
		require.NoError(t, o.plane.Start(deadline(t, 30*time.Second)))
		nothingHeld(t, o, before)
		kept(t)
	})
	t.Run("a change does not hide what was lost", func(t *testing.T) {
		lost, _ := without(t)
		o.ask(t, "POST", "/campaigns", ad("new", "us", "eng"), 201, nil)
		o.ask(t, "POST", "/campaigns", ad("newer", "us", "eng"), 201, nil)
		o.ask(t, "POST", "/campaigns", ad("newest", "us", "eng"), 201, nil)
		waitStatus(t, o.plane, func(p planeStatus) error {
			if p.Operators.Compiled != 3 {
				return errors.New("not yet compiled")
			}
			return nil
		})
		heldBy(t, o, "revision_lost")
		kept(t)
		require.NoError(t, o.plane.Stop())
		require.NoError(t, os.WriteFile(file, lost, 0o600))
		require.NoError(t, o.plane.Start(deadline(t, 30*time.Second)))
		nothingHeld(t, o, before)
	})
	l.unharmed(t)
	t.Run("a confirmation publishes what is left", func(t *testing.T) {
		_, held := without(t)
		r := command{dir: t.TempDir()}.run(t, "held", "confirm", held.Version)
		require.Equal(t, 0, r.code, r.stderr)
		servedWithin(t, s, "op", false)
		servedWithin(t, s, "a", true)
		nothingHeld(t, o, held.Version)
		o.ask(t, "POST", "/campaigns", ad("new", "us", "eng"), 201, nil)
		servedWithin(t, s, "new", true)
		restarted(t, o.plane)
		polls(t, s, 3)
		o.ask(t, "GET", "/held", nil, http.StatusNotFound, nil)
		servedWithin(t, s, "new", true)
	})
}

// TestReplicasOfAnEmptiedTable: where the operators' table is made anew while two control planes run, both go on with what they publish, over
// a restart, too, and one confirmation is for both.
func TestReplicasOfAnEmptiedTable(t *testing.T) {
	r := startReplicas(t, stack.Options{Campaigns: document(t, ad("a", "us", "eng"))}, "")
	r.agree(t, 0)
	r.first.ask(t, "POST", "/campaigns", ad("b", "us", "eng"), 201, nil)
	before := r.agree(t, 1)
	tables := dynamodb.New(dynamodb.Options{
		Region: "eu-west-1", BaseEndpoint: &moto.Endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: stack.AccessKey, SecretAccessKey: stack.AccessKey}, nil
		}),
	})
	_, err := tables.DeleteTable(deadline(t, 20*time.Second), &dynamodb.DeleteTableInput{TableName: &r.table})
	require.ErrorContains(t, err, "DeletionProtectionEnabled", "not by accident")
	_, err = tables.UpdateTable(deadline(t, 20*time.Second), &dynamodb.UpdateTableInput{TableName: &r.table, DeletionProtectionEnabled: aws.Bool(false)})
	require.NoError(t, err)
	_, err = tables.DeleteTable(deadline(t, 20*time.Second), &dynamodb.DeleteTableInput{TableName: &r.table})
	require.NoError(t, err)
	polls(t, r.Stack, 15)
	r.both(t, publishing(before))
	made := command{dir: t.TempDir()}.run(t, "init", "--config", r.first.plane.ConfigFile)
	require.Equal(t, 0, made.code, made.stderr)

	lost := func(s planeStatus) error {
		if s.Held == nil || s.Held.Reason != "revision_lost" || s.Held.Base != before {
			return fmt.Errorf("held: %+v", s.Held)
		}
		return publishing(before)(s)
	}
	r.both(t, lost)
	restarted(t, r.second.plane)
	r.both(t, lost)
	held := heldBy(t, r.first, "revision_lost")
	require.Equal(t, held.Version, heldBy(t, r.second, "revision_lost").Version)
	r.second.ask(t, "POST", "/held/"+held.Version+"/confirm", nil, 204, nil)
	r.both(t, publishing(held.Version))
	r.first.ask(t, "POST", "/campaigns", ad("c", "us", "eng"), 201, nil)
	r.agree(t, 1)
}

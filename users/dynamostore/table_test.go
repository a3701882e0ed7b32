package dynamostore

import (
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"adsidecar/internal/dynamo"
	"adsidecar/users/record"
)

// putRaw puts an item as another program would.
func putRaw(t *testing.T, s *Store, item dynamo.Item) {
	t.Helper()
	_, err := s.client.PutItem(within(t), &dynamodb.PutItemInput{TableName: &s.records, Item: item})
	require.NoError(t, err)
}

func getRaw(t *testing.T, s *Store, userID string) dynamo.Item {
	t.Helper()
	item, err := s.get(within(t), s.records, attrUserID, userID)
	require.NoError(t, err)
	return item
}

func null() types.AttributeValue { return &types.AttributeValueMemberNULL{Value: true} }

func TestRecordsThatWereThereBefore(t *testing.T) {
	full := record.Attributes{
		Title: "Mr", FirstName: "John", LastName: "Doe", MobileNumber: "0412",
		Address: record.Address{Postcode: "2000", Suburb: "Sydney", State: "NSW", FullAddress: "1 George St"},
	}
	whole := func() dynamo.Item {
		item := recordItem(record.Record{UserID: "31327518", Attributes: full})
		delete(item, attrOwner)
		delete(item, attrVersion)
		return item
	}
	tests := map[string]struct {
		item func() dynamo.Item
		want record.Attributes
	}{
		"complete": {whole, full},
		"the ID alone": {
			func() dynamo.Item { return dynamo.Item{attrUserID: dynamo.String("31327518")} }, record.Attributes{},
		},
		"NULL for all": {func() dynamo.Item {
			item := whole()
			for name := range item {
				if name != attrUserID {
					item[name] = null()
				}
			}
			item[attrVersion], item[attrOwner] = null(), null()
			return item
		}, record.Attributes{}},
		"NULL inside the address": {func() dynamo.Item {
			item := whole()
			item[attrAddress] = dynamo.Map(dynamo.Item{attrPostcode: null(), attrState: dynamo.String("NSW")})
			return item
		}, record.Attributes{Title: "Mr", FirstName: "John", LastName: "Doe", MobileNumber: "0412", Address: record.Address{State: "NSW"}}},
		"an address of one string and a number for a text": {func() dynamo.Item {
			item := whole()
			item[attrAddress], item[attrMobileNumber] = dynamo.String("1 George St"), dynamo.Int(412)
			return item
		}, record.Attributes{Title: "Mr", FirstName: "John", LastName: "Doe", MobileNumber: "412"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := newStore(t)
			item := test.item()
			item["points"] = dynamo.Int(7)
			putRaw(t, s, item)
			before, err := s.Read(within(t), "31327518")
			require.NoError(t, err)
			require.Equal(t, record.Record{UserID: "31327518", Attributes: test.want}, before)

			require.ErrorIs(t, s.Create(within(t), testRecord("Jane", 1), nil, testNow), record.ErrExists)
			require.ErrorIs(t, s.Update(within(t), testRecord("Jane", 2), testRecord("John", 1)), record.ErrVersion)
			require.NoError(t, s.Update(within(t), testRecord("Jane", 1), before))
			want := testRecord("Jane", 1)
			want.Owner = ""
			got, err := s.Read(within(t), "31327518")
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.Equal(t, dynamo.Int(7), getRaw(t, s, "31327518")["points"])
			require.ErrorIs(t, s.Update(within(t), testRecord("Jane", 1), before), record.ErrVersion)
		})
	}
}

func TestAttributesOfOthersStay(t *testing.T) {
	s, p := newStore(t)
	item := recordItem(testRecord("John", 1))
	item["points"] = dynamo.Int(7)
	dynamo.ReadMap(item[attrAddress])["country"] = dynamo.String("AU")
	putRaw(t, s, item)
	p.next("UpdateItem")
	require.NoError(t, s.Update(within(t), testRecord("Jane", 2), testRecord("John", 1)))
	require.Len(t, p.requests("UpdateItem"), 1)
	got := getRaw(t, s, "31327518")
	require.Equal(t, dynamo.Int(7), got["points"])
	require.Equal(t, dynamo.String("AU"), dynamo.ReadMap(got[attrAddress])["country"])
	require.Equal(t, dynamo.String("Jane"), got[attrFirstName])
}

// TestAnUpdateLeavesWhatItDoesNotUnderstand: of every other type, an attribute is read as nothing, and stays until it is given a value.
func TestAnUpdateLeavesWhatItDoesNotUnderstand(t *testing.T) {
	list := &types.AttributeValueMemberL{Value: []types.AttributeValue{dynamo.String("Mr"), dynamo.String("Dr")}}
	set := &types.AttributeValueMemberSS{Value: []string{"0412", "0413"}}
	odd := func() dynamo.Item {
		return dynamo.Item{
			attrTitle: list, attrFirstName: null(), attrLastName: dynamo.Int(7), attrMobileNumber: set,
			attrAddress: dynamo.Map(dynamo.Item{attrPostcode: dynamo.Int(2000), attrSuburb: list, "country": dynamo.String("AU")}),
		}
	}
	address := func(v types.AttributeValue) func() dynamo.Item {
		return func() dynamo.Item {
			item := odd()
			delete(item, attrAddress)
			if v != nil {
				item[attrAddress] = v
			}
			return item
		}
	}
	state := func(a *record.Attributes) { a.Address.State = "NSW" }
	made := dynamo.Map(addressItem(record.Address{State: "NSW"}))
	tests := map[string]struct {
		item   func() dynamo.Item
		change func(a *record.Attributes)
		want   dynamo.Item // what becomes other than it was
	}{
		"nothing":                  {odd, func(*record.Attributes) {}, nil},
		"another attribute":        {odd, func(a *record.Attributes) { a.FirstName = "John" }, dynamo.Item{attrFirstName: dynamo.String("John")}},
		"the attribute itself":     {odd, func(a *record.Attributes) { a.Title = "Ms" }, dynamo.Item{attrTitle: dynamo.String("Ms")}},
		"a number to other digits": {odd, func(a *record.Attributes) { a.LastName = "8" }, dynamo.Item{attrLastName: dynamo.String("8")}},
		"a part of the address": {odd, state, dynamo.Item{attrAddress: dynamo.Map(dynamo.Item{
			attrPostcode: dynamo.Int(2000), attrSuburb: list, "country": dynamo.String("AU"), attrState: dynamo.String("NSW"),
		})}},
		"the part of the address itself": {odd, func(a *record.Attributes) { a.Address.Suburb = "Perth" }, dynamo.Item{
			attrAddress: dynamo.Map(dynamo.Item{
				attrPostcode: dynamo.Int(2000), attrSuburb: dynamo.String("Perth"), "country": dynamo.String("AU"),
			}),
		}},
		"nothing of an address that is a text": {address(dynamo.String("1 George St")), func(*record.Attributes) {}, nil},
		"another attribute than an address that is a text": {
			address(dynamo.String("1 George St")), func(a *record.Attributes) { a.Title = "Ms" }, dynamo.Item{attrTitle: dynamo.String("Ms")},
		},
		"a part of an address that is a text":    {address(dynamo.String("1 George St")), state, dynamo.Item{attrAddress: made}},
		"a part of an address that is NULL":      {address(null()), state, dynamo.Item{attrAddress: made}},
		"a part of an address that is missing":   {address(nil), state, dynamo.Item{attrAddress: made}},
		"another attribute than a missing one":   {address(nil), func(a *record.Attributes) { a.Title = "Ms" }, dynamo.Item{attrTitle: dynamo.String("Ms")}},
		"a part of an address that has no parts": {address(dynamo.Map(nil)), state, dynamo.Item{attrAddress: dynamo.Map(dynamo.Item{attrState: dynamo.String("NSW")})}},
	}
	s, _ := newStore(t)
	s.newID = func() string { return "a write" }
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			item := test.item()
			item[attrUserID], item[attrVersion] = dynamo.String("31327518"), dynamo.Int(3)
			putRaw(t, s, item)
			from, err := s.Read(within(t), "31327518")
			require.NoError(t, err)
			r := from
			r.Version++
			test.change(&r.Attributes)
			require.NoError(t, s.Update(within(t), r, from))
			want := item
			maps.Copy(want, test.want)
			want[attrVersion], want[attrWriteID] = dynamo.Int(4), dynamo.String("a write")
			require.Equal(t, want, getRaw(t, s, "31327518"))
			got, err := s.Read(within(t), "31327518")
			require.NoError(t, err)
			require.Equal(t, r, got, "it reads as the client was told")
		})
	}
}

func TestTheItemIsThatOfTheTable(t *testing.T) {
	s, _ := newStore(t)
	s.newID = func() string { return "a write" }
	require.NoError(t, s.Create(within(t), testRecord("John", 1), testKey(), testNow))
	require.Equal(t, dynamo.Item{
		"userId": dynamo.String("31327518"), "title": dynamo.String(""), "firstName": dynamo.String("John"),
		"lastName": dynamo.String(""), "mobileNumber": dynamo.String(""),
		"address": dynamo.Map(dynamo.Item{
			"postcode": dynamo.String(""), "suburb": dynamo.String(""), "state": dynamo.String("NSW"), "fullAddress": dynamo.String(""),
		}),
		"owner": dynamo.String("sub"), "version": dynamo.Int(1), "writeId": dynamo.String("a write"),
	}, getRaw(t, s, "31327518"))
	key, err := s.get(within(t), s.keys, "key", "key")
	require.NoError(t, err)
	require.Equal(t, dynamo.Item{
		"key": dynamo.String("key"), "request": dynamo.String("hash"), "userId": dynamo.String("31327518"),
		"expires": dynamo.Int(testNow.Add(time.Hour).Unix()), "writeId": dynamo.String("a write"),
	}, key)
}

func TestADamagedVersionIsAnError(t *testing.T) {
	s, _ := newStore(t)
	item := recordItem(testRecord("John", 1))
	item[attrVersion] = dynamo.String("secret")
	putRaw(t, s, item)
	got, err := s.Read(within(t), "31327518")
	require.ErrorIs(t, err, record.ErrDamaged)
	require.NotErrorIs(t, err, record.ErrUnavailable)
	require.Equal(t, record.Record{UserID: "31327518", Owner: "sub"}, got)
	require.ErrorContains(t, err, "version is not a whole number")
	require.NotContains(t, err.Error(), "secret")
	require.ErrorContains(t, s.Update(within(t), testRecord("Jane", 2), testRecord("John", 1)), "version is not a whole number")
}

func TestInit(t *testing.T) {
	t.Run("the tables are as they should be", func(t *testing.T) {
		s, _ := newStore(t)
		for table, key := range map[string]string{s.records: "userId", s.keys: "key"} {
			out, err := s.client.DescribeTable(within(t), &dynamodb.DescribeTableInput{TableName: &table})
			require.NoError(t, err)
			require.Equal(t, key, *out.Table.KeySchema[0].AttributeName)
			require.Equal(t, types.BillingModePayPerRequest, out.Table.BillingModeSummary.BillingMode)
			require.Equal(t, types.SSEStatusEnabled, out.Table.SSEDescription.Status)
			require.Equal(t, table == s.records, aws.ToBool(out.Table.DeletionProtectionEnabled))
			ttl, err := s.client.DescribeTimeToLive(within(t), &dynamodb.DescribeTimeToLiveInput{TableName: &table})
			require.NoError(t, err)
			require.Equal(t, table == s.keys, ttl.TimeToLiveDescription.TimeToLiveStatus == types.TimeToLiveStatusEnabled)
		}
		backups, err := s.client.DescribeContinuousBackups(within(t), &dynamodb.DescribeContinuousBackupsInput{TableName: &s.records})
		require.NoError(t, err)
		require.Equal(t, types.PointInTimeRecoveryStatusEnabled,
			backups.ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus)
	})
	t.Run("again it changes nothing", func(t *testing.T) {
		s, p := newStore(t)
		require.NoError(t, s.Create(within(t), testRecord("John", 1), testKey(), testNow))
		p.next("CreateTable")
		p.next("UpdateTimeToLive")
		require.NoError(t, s.Init(within(t)))
		require.Empty(t, p.requests("CreateTable"))
		require.Empty(t, p.requests("UpdateTimeToLive"), "AWS refuses to enable it twice")
		_, err := s.Read(within(t), "31327518")
		require.NoError(t, err)
	})
	t.Run("the table that was there before is taken", func(t *testing.T) {
		s := New(clientConfig(t, newProxy(t, endpoint(t)).server.URL), "legacy")
		makeTable(t, s, "legacy", types.KeySchemaElement{AttributeName: aws.String("userId"), KeyType: types.KeyTypeHash})
		require.NoError(t, s.Init(within(t)))
		require.NoError(t, s.Create(within(t), testRecord("John", 1), testKey(), testNow))
	})
	t.Run("a lost answer does not matter", func(t *testing.T) {
		p := newProxy(t, endpoint(t))
		p.next("CreateTable", lost)
		require.NoError(t, New(clientConfig(t, p.server.URL), "lost-answer").Init(within(t)))
	})
	t.Run("two at once are as good as one", func(t *testing.T) {
		p := newProxy(t, endpoint(t))
		s := New(clientConfig(t, p.server.URL), "twice")
		var both sync.WaitGroup
		errs := make([]error, 2)
		for i := range errs {
			both.Go(func() { errs[i] = s.Init(t.Context()) })
		}
		both.Wait()
		require.NoError(t, errs[0])
		require.NoError(t, errs[1])
	})
	// As AWS answers whoever lets items expire for the second time.
	twice := answers(http.StatusBadRequest, "ValidationException", "")
	t.Run("another one was faster to let items expire", func(t *testing.T) {
		p := newProxy(t, endpoint(t))
		p.next("UpdateTimeToLive", func(w http.ResponseWriter, forward func() *http.Response) {
			forward()
			twice(w, nil)
		})
		require.NoError(t, New(clientConfig(t, p.server.URL), "faster").Init(within(t)))
	})
	t.Run("a refusal to let items expire is an error", func(t *testing.T) {
		p := newProxy(t, endpoint(t))
		p.next("UpdateTimeToLive", twice)
		require.ErrorContains(t, New(clientConfig(t, p.server.URL), "refused").Init(within(t)), "let items expire")
	})
	t.Run("a table with another key is an error", func(t *testing.T) {
		s := New(clientConfig(t, endpoint(t)), "foreign")
		makeTable(t, s, "foreign", types.KeySchemaElement{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash})
		require.ErrorContains(t, s.Init(within(t)), "make the table foreign: there is one with another key: it must have the partition key userId")
	})
	t.Run("a table with a sort key is an error", func(t *testing.T) {
		s := New(clientConfig(t, endpoint(t)), "sorted")
		makeTable(t, s, "sorted", types.KeySchemaElement{AttributeName: aws.String("userId"), KeyType: types.KeyTypeHash},
			types.KeySchemaElement{AttributeName: aws.String("at"), KeyType: types.KeyTypeRange})
		require.ErrorContains(t, s.Init(within(t)), "no sort key")
	})
	t.Run("keys that expire by another attribute are an error", func(t *testing.T) {
		s, _ := newStore(t)
		_, err := s.client.UpdateTimeToLive(within(t), &dynamodb.UpdateTimeToLiveInput{
			TableName:               &s.keys,
			TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)},
		})
		require.NoError(t, err)
		require.ErrorContains(t, s.Init(within(t)), "expire by ttl, not by expires")
	})
}

func makeTable(t *testing.T, s *Store, name string, keys ...types.KeySchemaElement) {
	t.Helper()
	var attributes []types.AttributeDefinition
	for _, k := range keys {
		attributes = append(attributes, types.AttributeDefinition{AttributeName: k.AttributeName, AttributeType: types.ScalarAttributeTypeS})
	}
	_, err := s.client.CreateTable(within(t), &dynamodb.CreateTableInput{
		TableName: &name, KeySchema: keys, AttributeDefinitions: attributes, BillingMode: types.BillingModePayPerRequest,
	})
	require.NoError(t, err)
}

func FuzzReadItem(f *testing.F) {
	f.Add(0, "", "1")
	f.Add(1, "text", "-1")
	f.Add(2, "1e400", "99999999999999999999")
	f.Add(5, "\xff", "1.5")
	f.Fuzz(func(t *testing.T, kind int, text, number string) {
		kinds := []types.AttributeValue{
			nil, dynamo.String(text), &types.AttributeValueMemberN{Value: number}, null(), &types.AttributeValueMemberBOOL{Value: true},
			dynamo.Map(dynamo.Item{attrState: dynamo.String(text), attrSuburb: nil}), dynamo.Map(nil),
			&types.AttributeValueMemberL{}, &types.AttributeValueMemberB{Value: []byte(text)},
		}
		v := kinds[(kind%len(kinds)+len(kinds))%len(kinds)]
		item := dynamo.Item{
			attrFirstName: v, attrAddress: v, attrOwner: v, attrRequest: v,
			attrVersion: &types.AttributeValueMemberN{Value: number}, attrExpires: v,
		}
		r, err := readRecord("31327518", item)
		if err == nil {
			again, err := readRecord("31327518", recordItem(r))
			require.NoError(t, err)
			require.Equal(t, r, again)
		} else if len(number) > len("whole number") {
			require.NotContains(t, err.Error(), number)
		}
		if k, err := readKey("key", item); err == nil {
			again, err := readKey("key", keyItem(k))
			require.NoError(t, err)
			require.Equal(t, k, again)
		}
	})
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// The service is what one would write instead of a filter: net/http behind Envoy, its data in memory or in Redis. What costs and is not
// needed is left out: no router, no logging, no garbage but that of net/http.

// noAdBody is the answer for a key without ads, as the gateway has it.
const noAdBody = `{"message":"There is no ad for this country and language right now. Show none and play on.","code":"no_ad_available"}`

// storeKey is a country and a language, filled up with zeros.
type storeKey [5]byte

// adStore takes the next turn of a key. It is safe for concurrent use; the body must not be changed. Nil: there is no ad.
type adStore interface {
	next(key storeKey, hour int) ([]byte, error)
}

func init() { children["service"] = runService }

// runService is the child: service -address host:port -table file [-redis host:port].
func runService(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("service", flag.ContinueOnError)
	address := f.String("address", "", "to listen at")
	file := f.String("table", "", "of ads")
	redisAddress := f.String("redis", "", "to keep the ads in instead of the memory")
	if err := f.Parse(args); err != nil {
		return err
	}
	table, err := readTable(*file)
	if err != nil {
		return err
	}
	var store adStore
	if *redisAddress == "" {
		store = newMemoryStore(table)
	} else if store, err = newRedisStore(*redisAddress, table, hourOf(time.Now())); err != nil {
		return err
	}
	debug.SetGCPercent(800) // its heap is small beside the machine's memory, and collections cost time
	server := &http.Server{Handler: serviceHandler(store), ReadHeaderTimeout: 10 * time.Second}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *address)
	if err != nil {
		return fmt.Errorf("service: %w", err)
	}
	go func() {
		<-ctx.Done()
		_ = server.Close() // the end of the program
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("service: %w", err)
	}
	return nil
}

// memoryStore has everything ready to be sent.
type memoryStore map[storeKey]*memoryKey

type memoryKey struct {
	turn   atomic.Uint32
	cycles [24][][]byte
}

func newMemoryStore(table adTable) memoryStore {
	s := make(memoryStore, len(table))
	for key, lines := range table {
		k := new(memoryKey)
		for _, line := range lines {
			body := []byte(line.body)
			for hour := range k.cycles {
				if line.hours[hour] == '1' {
					k.cycles[hour] = append(k.cycles[hour], body)
				}
			}
		}
		s[makeStoreKey(key.Country, key.Lang)] = k
	}
	return s
}

func (s memoryStore) next(key storeKey, hour int) ([]byte, error) {
	k := s[key]
	if k == nil || len(k.cycles[hour]) == 0 {
		return nil, nil
	}
	return k.cycles[hour][(k.turn.Add(1)-1)%uint32(len(k.cycles[hour]))], nil
}

func makeStoreKey(country, lang string) storeKey {
	var key storeKey
	copy(key[:2], country)
	copy(key[2:], lang)
	for i, c := range key {
		if 'A' <= c && c <= 'Z' {
			key[i] = c | 0x20
		}
	}
	return key
}

// Headers are made once; an assigned map entry costs no canonical form. Date is Envoy's.
var jsonType = []string{"application/json"}

func serviceHandler(store adStore) http.Handler {
	lengths := make([][]string, 4096)
	for i := range lengths {
		lengths[i] = []string{strconv.Itoa(i)}
	}
	answer := func(w http.ResponseWriter, status int, body []byte) {
		h := w.Header()
		h["Content-Type"], h["Date"] = jsonType, nil
		if len(body) < len(lengths) {
			h["Content-Length"] = lengths[len(body)]
		}
		w.WriteHeader(status)
		_, _ = w.Write(body) // the client is gone then
	}
	noAd := []byte(noAdBody)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		country, lang := parameters(r.URL.RawQuery)
		if len(country) != 2 || len(lang) < 2 || len(lang) > 3 {
			answer(w, http.StatusBadRequest, []byte(`{"message":"A parameter is missing.","code":"missing_parameter"}`))
			return
		}
		body, err := store.next(makeStoreKey(country, lang), hourOf(time.Now()))
		switch {
		case err != nil:
			answer(w, http.StatusInternalServerError, []byte(`{"message":"An internal error happened.","code":"internal"}`))
		case body == nil:
			answer(w, http.StatusNotFound, noAd)
		default:
			answer(w, http.StatusOK, body)
		}
	})
}

// parameters reads a query whose values are letters.
func parameters(query string) (country, lang string) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		switch name, value, _ := strings.Cut(pair, "="); name {
		case "country":
			country = value
		case "lang":
			lang = value
		}
	}
	return country, lang
}

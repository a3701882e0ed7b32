package compile_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
)

// TestAKeyOfTenThousandFlights is the case of the limit: each ad begins and ends at minutes of its own. How long that takes is measured in
// e2e, where no race detector slows it down.
func TestAKeyOfTenThousandFlights(t *testing.T) {
	t.Parallel()
	now := minuteOf(t, "2027-01-08 12:30")
	flights := func(minutes int64) []campaign.Campaign {
		return campaignsOf(10_000, func(i int, c *campaign.Campaign) {
			from := now.Unix()/60 + int64(i)
			c.StartAt, c.EndAt = campaign.At(from), campaign.At(from+minutes)
		})
	}
	t.Run("short flights fit", func(t *testing.T) {
		result, r := compileDocument(t, &campaign.Document{Campaigns: flights(60)}, compile.Params{Now: now})
		require.Less(t, len(result.Bytes), compile.MaxKeyBytes)
		require.Len(t, cycle(t, r, "us", "eng", now.Add(5000*time.Minute)), 60)
	})
	t.Run("long flights are refused with the size", func(t *testing.T) {
		result, err := compile.Compile(&campaign.Document{Campaigns: flights(14 * 1440)}, compile.Params{Now: now})
		require.Nil(t, result)
		require.ErrorIs(t, err, compile.ErrKeyTooLarge)
		var tooLarge *compile.KeyTooLargeError
		require.ErrorAs(t, err, &tooLarge)
		require.Equal(t, "us/eng", tooLarge.Key)
		require.Equal(t, 10_000, tooLarge.Ads)
		// No ad and the cycle without any, then each minute an ad more; after the horizon none.
		require.Equal(t, int64(4*10_000*10_001/2+8*(1+10_000+1)), tooLarge.Bytes)
		require.ErrorContains(t, err, fmt.Sprintf(
			"key us/eng: key_too_large: key us/eng with 10000 campaigns takes %d bytes of segments and cycles, the limit is 67108864", tooLarge.Bytes))
	})
}

// TestPlainAdsCountForTheKeyLimit has one cycle for each of the day's hours.
func TestPlainAdsCountForTheKeyLimit(t *testing.T) {
	t.Parallel()
	const ads = 800_000
	campaigns := campaignsOf(ads, func(i int, c *campaign.Campaign) {
		if i < 24 {
			c.StartHour, c.EndHour = i, i+1
		}
	})
	_, err := compile.Compile(&campaign.Document{Campaigns: campaigns}, compile.Params{})
	var tooLarge *compile.KeyTooLargeError
	require.ErrorAs(t, err, &tooLarge)
	require.Equal(t, int64(24*(ads-23)*4+24*8), tooLarge.Bytes)

	few, _ := compileDocument(t, &campaign.Document{Campaigns: campaigns[24:]}, compile.Params{})
	require.Equal(t, ads-24, few.Ads, "as many with one cycle are inside of it")
}

func TestWildcardsThatMakeTooManyKeys(t *testing.T) {
	t.Parallel()
	letters := func(n, width int) string {
		s := ""
		for range width {
			s, n = string(rune('a'+n%26))+s, n/26
		}
		return s
	}
	campaigns := campaignsOf(1200, func(i int, c *campaign.Campaign) {
		if i < 600 {
			c.Country, c.Lang = letters(i, 2), campaign.Any
		} else {
			c.Country, c.Lang = campaign.Any, letters(i*13, 3)
		}
		if code, err := campaign.ParseCountry(c.Country); err == nil {
			c.Country = code
		}
		if code, err := campaign.ParseLang(c.Lang); err == nil {
			c.Lang = code
		}
	})
	_, err := compile.Compile(&campaign.Document{Campaigns: campaigns}, compile.Params{})
	require.ErrorIs(t, err, compile.ErrTooManyPairs)
	require.ErrorContains(t, err, "the limit is 262144")
}

func TestWildcardsThatApplyTooOften(t *testing.T) {
	t.Parallel()
	campaigns := campaignsOf(20_000, func(i int, c *campaign.Campaign) {
		c.Country = string([]byte{'a' + byte(i%20), 'a' + byte(i/20%26)})
		if i >= 520 {
			c.Country = campaign.Any
		}
	})
	_, err := compile.Compile(&campaign.Document{Campaigns: campaigns}, compile.Params{})
	require.ErrorIs(t, err, compile.ErrTooManyPairs)
	require.ErrorContains(t, err, "stand in other keys more than 8388608 times")
}

func TestTheSizeLimitStopsTheWork(t *testing.T) {
	t.Parallel()
	now := minuteOf(t, "2027-01-08 12:30")
	campaigns := campaignsOf(2_000, func(i int, c *campaign.Campaign) { c.StartAt = campaign.At(now.Unix()/60 + int64(i)) })
	_, err := compile.Compile(&campaign.Document{Campaigns: campaigns}, compile.Params{Now: now, MaxBytes: 1 << 20})
	require.ErrorIs(t, err, compile.ErrTooLarge)
	require.ErrorContains(t, err, "for 1 of 1 keys, the limit is 1048576 bytes")
}

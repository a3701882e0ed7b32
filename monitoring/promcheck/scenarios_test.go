package promcheck

// The trouble that each alert is for, and what it must not take for it.
var scenarios = map[string]map[string]scenario{
	"AdsidecarControlPlaneDown": {
		"one of two replicas is down": {
			`up{job="adsidecar", instance="a"} 1x10
			 up{job="adsidecar", instance="b"} 1x5 0x10`, 9, []string{`{instance="b", job="adsidecar"}`},
		},
		"none is scraped":                    {`up{job="other"} 1x10`, 9, []string{`{job="adsidecar"}`}},
		"all are up, another program is not": {"up{job=\"adsidecar\"} 1x10\nup{job=\"other\"} 0x10", 9, nil},
		"one scrape failed":                  {`up{job="adsidecar"} 1 1 0 1 1 1`, 2, nil},
	},
	"AdsidecarSourceStale": {
		"no document for 14 minutes":           {`adsidecar_source_last_success_timestamp_seconds 600x40`, 24, one},
		"no document since the start":          {`adsidecar_source_last_success_timestamp_seconds 0x40`, 32, one},
		"the last document is 9 minutes old":   {`adsidecar_source_last_success_timestamp_seconds 600x40`, 19, nil},
		"documents come":                       {`adsidecar_source_last_success_timestamp_seconds 0+60x60`, 59, nil},
		"the last document is 11 minutes old":  {`adsidecar_source_last_success_timestamp_seconds 600x40`, 21, nil},
		"a document came after a long silence": {`adsidecar_source_last_success_timestamp_seconds 0x30 1800+60x10`, 33, nil},
	},
	"AdsidecarDocumentUnusable": {
		"an unusable document each poll": {`adsidecar_source_polls_total{result="unusable"} 0x5 6+6x20`, 20, []string{`{result="unusable"}`}},
		"a document that is too large":   {`adsidecar_source_polls_total{result="too_large"} 0x5 1+1x20`, 20, []string{`{result="too_large"}`}},
		"one half an hour ago":           {`adsidecar_source_polls_total{result="unusable"} 0x5 3x60`, 40, nil},
		"a source that is away":          {`adsidecar_source_polls_total{result="error"} 0x5 6+6x20`, 20, nil},
		"good documents": {
			`adsidecar_source_polls_total{result="ok"} 0+6x40
			 adsidecar_source_polls_total{result="not_modified"} 0+6x40
			 adsidecar_source_polls_total{result="unusable"} 0x40`, 30, nil,
		},
	},
	"AdsidecarIndexNearLimit": {
		"85 of 100 MB":              {"adsidecar_index_bytes 85e6x40\nadsidecar_index_limit_bytes 100e6x40", 30, one},
		"79 of 100 MB":              {"adsidecar_index_bytes 79e6x40\nadsidecar_index_limit_bytes 100e6x40", 30, nil},
		"85 of 100 MB for a moment": {"adsidecar_index_bytes 50e6x20 85e6x5 50e6x20\nadsidecar_index_limit_bytes 100e6x60", 25, nil},
		"another replica's limit is no business of this one": {
			`adsidecar_index_bytes{instance="a"} 85e6x40
			 adsidecar_index_limit_bytes{instance="a"} 200e6x40
			 adsidecar_index_limit_bytes{instance="b"} 100e6x40`, 30, nil,
		},
	},
	"AdsidecarLastGoodNotSaved": {
		"one failure":                {`adsidecar_state_errors_total 0x5 1x30`, 10, one},
		"a failure half an hour ago": {`adsidecar_state_errors_total 0x5 1x60`, 40, nil},
		"none":                       {`adsidecar_state_errors_total 0x30`, 20, nil},
	},
	"AdsidecarOperatorsStoreErrors": {
		"the disk is full": {`adsidecar_operators_store_write_errors_total 0x5 1+1x20`, 10, one},
		"writes succeed":   {"adsidecar_operators_store_write_errors_total 0x20\nadsidecar_operators_store_writes_total 0+9x20", 10, nil},
	},
	"AdsidecarOperatorsStoreUnread": {
		"one replica lost its rights 4 minutes ago": {
			`adsidecar_operators_last_read_timestamp_seconds{instance="a"} 0+60x10 600x10
			 adsidecar_operators_last_read_timestamp_seconds{instance="b"} 0+60x20`, 14, []string{`{instance="a"}`},
		},
		"not once since the start": {`adsidecar_operators_last_read_timestamp_seconds 0x20`, 12, one},
		"for two minutes":          {`adsidecar_operators_last_read_timestamp_seconds 0+60x10 600x10`, 12, nil},
		"it is read":               {`adsidecar_operators_last_read_timestamp_seconds 0+60x20`, 14, nil},
		"it is read again":         {`adsidecar_operators_last_read_timestamp_seconds 0+60x10 600x5 960+60x5`, 17, nil},
	},
	"AdsidecarOperatorsRowsUnreadable": {
		"one for 6 minutes": {"adsidecar_operators_unreadable_rows 0x5 1x10", 12, one},
		"undone at once":    {"adsidecar_operators_unreadable_rows 0x5 1x2 0x10", 12, nil},
		"none":              {"adsidecar_operators_unreadable_rows 0x20", 12, nil},
	},
	"AdsidecarVersionNotKept": {
		"one failure": {`adsidecar_version_keep_errors_total 0x5 1x30`, 10, one},
		"none":        {`adsidecar_version_keep_errors_total 0x30`, 20, nil},
	},
	"AdsidecarChangesNotCompiled": {
		"for 6 minutes":         {"adsidecar_operators_revision 8x5 9x10\nadsidecar_operators_compiled_revision 8x20", 12, one},
		"the compiler is at it": {"adsidecar_operators_revision 8x5 9x10\nadsidecar_operators_compiled_revision 8x6 9x10", 12, nil},
		"without operators":     {"adsidecar_operators_revision 0x20\nadsidecar_operators_compiled_revision 0x20", 12, nil},
	},
	"AdsidecarIndexHeld": {
		"for 6 minutes":         {`adsidecar_index_held{reason="max_removed_share"} 0x5 1x10`, 12, []string{`{reason="max_removed_share"}`}},
		"about to be confirmed": {`adsidecar_index_held{reason="revision_lost"} 0x5 1x2 0x20`, 7, nil},
	},
	"AdsidecarEnvoyRejects": {
		"one index is rejected": {
			`adsidecar_xds_nacks_total{type="ecds"} 0x5 1x30
			 adsidecar_xds_nacks_total{type="lds"} 0x30`, 10, []string{`{type="ecds"}`},
		},
		"two replicas are one alert": {
			`adsidecar_xds_nacks_total{type="lds", instance="a"} 0x5 1x30
			 adsidecar_xds_nacks_total{type="lds", instance="b"} 0x5 1x30`, 10, []string{`{type="lds"}`},
		},
		"acknowledgements alone": {"adsidecar_xds_nacks_total{type=\"ecds\"} 3x30\nadsidecar_xds_acks_total{type=\"ecds\"} 0+1x30", 20, nil},
	},
	"AdsidecarIndexQuarantined": {
		"an index is held back": {`adsidecar_index_quarantined 0x5 1x10`, 8, one},
		"none is":               {`adsidecar_index_quarantined 0x10`, 8, nil},
		"for a moment":          {`adsidecar_index_quarantined 0x5 1 0x10`, 6, nil},
	},
	"AdsidecarEnvoyBehind": {
		"one for 6 minutes":     {`adsidecar_xds_envoys{state="out_of_sync"} 0x5 1x10`, 12, []string{`{state="out_of_sync"}`}},
		"one for a push's time": {`adsidecar_xds_envoys{state="out_of_sync"} 0x5 5x2 0x10`, 7, nil},
		"all in sync":           {"adsidecar_xds_envoys{state=\"out_of_sync\"} 0x20\nadsidecar_xds_envoys{state=\"connected\"} 9x20", 12, nil},
	},
	"AdsidecarNoEnvoys": {
		"none at either replica": {
			`adsidecar_xds_envoys{state="connected", instance="a"} 3x5 0x20
			 adsidecar_xds_envoys{state="connected", instance="b"} 0x20`, 15, one,
		},
		"all at one replica": {
			`adsidecar_xds_envoys{state="connected", instance="a"} 3x20
			 adsidecar_xds_envoys{state="connected", instance="b"} 0x20`, 15, nil,
		},
		"away for a restart": {`adsidecar_xds_envoys{state="connected"} 3x5 0x3 3x20`, 9, nil},
	},
	"AdsidecarAdRequestsFail": {
		"2 % without an index": {
			`adsidecar_envoy_ad_requests_total{result="served"} 0+980x20
			 adsidecar_envoy_ad_requests_total{result="unavailable"} 0+20x20`, 10, one,
		},
		"2 % fail in the filter": {
			`adsidecar_envoy_ad_requests_total{result="served"} 0+980x20
			 adsidecar_envoy_ad_requests_total{result="internal"} 0+20x20`, 10, one,
		},
		"half a per cent without an index": {
			`adsidecar_envoy_ad_requests_total{result="served"} 0+995x20
			 adsidecar_envoy_ad_requests_total{result="unavailable"} 0+5x20`, 10, nil,
		},
		"a burst that has just begun": {
			`adsidecar_envoy_ad_requests_total{result="served"} 0+980x20
			 adsidecar_envoy_ad_requests_total{result="unavailable"} 0x9 500x20`, 10, nil,
		},
		"a single one": {
			`adsidecar_envoy_ad_requests_total{result="served"} 0+980x20
			 adsidecar_envoy_ad_requests_total{result="internal"} 0x5 1x20`, 10, nil,
		},
		"no ad and bad requests are no failures": {
			`adsidecar_envoy_ad_requests_total{result="no_ad"} 0+980x20
			 adsidecar_envoy_ad_requests_total{result="bad_request"} 0+980x20
			 adsidecar_envoy_ad_requests_total{result="internal"} 0x20`, 10, nil,
		},
		"no requests": {`adsidecar_envoy_ad_requests_total{result="internal"} 0x20`, 10, nil},
	},
	"AdsidecarNoAdShareUp": {
		"5 % yesterday, 30 % now": {
			`adsidecar_envoy_ad_requests_total{result="served"} 0+950x1440 1368000+700x60
			 adsidecar_envoy_ad_requests_total{result="no_ad"} 0+50x1440 72000+300x60`, 1480, one,
		},
		"30 % for a few minutes": {
			`adsidecar_envoy_ad_requests_total{result="served"} 0+950x1440 1368000+700x60
			 adsidecar_envoy_ad_requests_total{result="no_ad"} 0+50x1440 72000+300x60`, 1450, nil,
		},
		"30 % now, among many bad requests": {
			`adsidecar_envoy_ad_requests_total{result="served"} 0+950x1440 1368000+700x60
			 adsidecar_envoy_ad_requests_total{result="no_ad"} 0+50x1440 72000+300x60
			 adsidecar_envoy_ad_requests_total{result="bad_request"} 0x1440 9000+9000x60`, 1480, one,
		},
		"30 % as yesterday, then among many bad requests": {
			`adsidecar_envoy_ad_requests_total{result="served"} 0+700x1500
			 adsidecar_envoy_ad_requests_total{result="no_ad"} 0+300x1500
			 adsidecar_envoy_ad_requests_total{result="bad_request"} 0+9000x1440 12960000x60`, 1480, nil,
		},
		"30 % as yesterday": {
			`adsidecar_envoy_ad_requests_total{result="served"} 0+700x1500
			 adsidecar_envoy_ad_requests_total{result="no_ad"} 0+300x1500`, 1480, nil,
		},
		"5 % yesterday, 12 % now": {
			`adsidecar_envoy_ad_requests_total{result="served"} 0+950x1440 1368000+880x60
			 adsidecar_envoy_ad_requests_total{result="no_ad"} 0+50x1440 72000+120x60`, 1480, nil,
		},
		"fewer than yesterday": {
			`adsidecar_envoy_ad_requests_total{result="served"} 0+700x1440 1008000+950x60
			 adsidecar_envoy_ad_requests_total{result="no_ad"} 0+300x1440 432000+50x60`, 1480, nil,
		},
		"a handful of requests at night, and many bad ones": {
			`adsidecar_envoy_ad_requests_total{result="served"} 0+19x1440 27360+14x60
			 adsidecar_envoy_ad_requests_total{result="no_ad"} 0+1x1440 1440+6x60
			 adsidecar_envoy_ad_requests_total{result="bad_request"} 0+900x1500`, 1480, nil,
		},
		"the first day": {
			`adsidecar_envoy_ad_requests_total{result="served"} 0+100x60
			 adsidecar_envoy_ad_requests_total{result="no_ad"} 0+900x60`, 50, nil,
		},
	},
	"AdsidecarUsersStoreErrors": {
		"the disk is full": {`adsidecar_users_store_write_errors_total 0x5 1+1x20`, 10, one},
		"writes succeed":   {"adsidecar_users_store_write_errors_total 0x20\nadsidecar_users_store_writes_total 0+9x20", 10, nil},
	},
	"AdsidecarUsersUnavailable": {
		"the store is away": {
			`adsidecar_users_requests_total{endpoint="read", code="200"} 0+95x20
			 adsidecar_users_requests_total{endpoint="read", code="503"} 0+5x20
			 adsidecar_users_requests_total{endpoint="authenticate", code="200"} 0+90x20`, 10, []string{`{endpoint="read"}`},
		},
		"half a per cent": {
			`adsidecar_users_requests_total{endpoint="read", code="200"} 0+995x20
			 adsidecar_users_requests_total{endpoint="read", code="503"} 0+5x20`, 10, nil,
		},
		"the service fails": {
			`adsidecar_users_requests_total{endpoint="update", code="200"} 0+95x20
			 adsidecar_users_requests_total{endpoint="update", code="500"} 0+5x20`, 10, []string{`{endpoint="update"}`},
		},
		"a burst that has just begun": {
			`adsidecar_users_requests_total{endpoint="read", code="200"} 0+95x20
			 adsidecar_users_requests_total{endpoint="read", code="503"} 0x9 50x20`, 10, nil,
		},
		"records that are not there": {
			`adsidecar_users_requests_total{endpoint="read", code="200"} 0+10x20
			 adsidecar_users_requests_total{endpoint="read", code="404"} 0+90x20`, 10, nil,
		},
	},
	"AdsidecarSignInFailures": {
		"passwords are tried": {
			`adsidecar_users_requests_total{endpoint="authenticate", code="200"} 0+10x40
			 adsidecar_users_requests_total{endpoint="authenticate", code="401"} 0+90x40`, 12, one,
		},
		"passwords are tried for two minutes": {
			`adsidecar_users_requests_total{endpoint="authenticate", code="200"} 0+10x40
			 adsidecar_users_requests_total{endpoint="authenticate", code="401"} 0x20 90+90x20`, 22, nil,
		},
		"some are mistyped": {
			`adsidecar_users_requests_total{endpoint="authenticate", code="200"} 0+90x40
			 adsidecar_users_requests_total{endpoint="authenticate", code="401"} 0+10x40`, 30, nil,
		},
		"a single person forgot a password": {`adsidecar_users_requests_total{endpoint="authenticate", code="401"} 0+1x40`, 30, nil},
		"tokens that are refused elsewhere": {`adsidecar_users_requests_total{endpoint="read", code="401"} 0+90x40`, 30, nil},
	},
}

package envoy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHealthAnswersReadersAlone(t *testing.T) {
	c := parsed(t, usersGateway)
	for method, status := range map[string]uint32{"GET": 200, "HEAD": 200, "POST": 405, "PUT": 405, "DELETE": 405, "OPTIONS": 405, "GETS": 405, "get": 405} {
		for _, stage := range []string{"", "/prod", "/development"} {
			r := answering(t, c, method, stage+"/health", "")
			require.Equal(t, status, r.GetDirectResponse().GetStatus(), "%s %s", method, stage)
			require.NotNil(t, r.GetTypedPerFilterConfig()[jwtFilter], "it is public")
			headers := map[string]string{}
			for _, h := range r.GetResponseHeadersToAdd() {
				headers[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
			}
			if status == 405 {
				require.Equal(t, "GET, HEAD", headers["allow"])
			} else {
				require.Equal(t, "application/json", headers["content-type"])
			}
		}
	}
}

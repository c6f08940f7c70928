package sim

import (
	"encoding/base64"
	"slices"
)

// page answers a List request with a page of sorted ARNs under the given
// member. The token is the last ARN shown, so that a page neither repeats nor
// skips anything when the list changes between two requests. AWS's largest
// page is 100.
func (c *call) page(all []string, member string, size int) (any, error) {
	var in struct {
		Max   *int   `json:"maxResults"`
		Token string `json:"nextToken"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Max != nil {
		if *in.Max < 1 || *in.Max > 100 {
			return nil, fault("InvalidParameterException", "maxResults must be between 1 and 100.")
		}
		size = *in.Max
	}
	if in.Token != "" {
		last, err := base64.StdEncoding.DecodeString(in.Token)
		at := slices.Index(all, string(last))
		if err != nil || at < 0 {
			return nil, fault("InvalidParameterException", "Invalid token.")
		}
		all = all[at+1:]
	}
	out := map[string]any{}
	if len(all) > size {
		all = all[:size]
		out["nextToken"] = base64.StdEncoding.EncodeToString([]byte(all[size-1]))
	}
	out[member] = append([]string{}, all...) // [], not null
	return out, nil
}

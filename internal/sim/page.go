package sim

import (
	"encoding/base64"
	"fmt"
	"slices"
)

// page answers a List request with a page of sorted ARNs under the given
// member. AWS's largest page is 100.
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
	from, err := resume(in.Token, all)
	if err != nil {
		return nil, err
	}
	to := min(from+size, len(all))
	out := map[string]any{member: append([]string{}, all[from:to]...)} // [], not null
	if to < len(all) {
		out["nextToken"] = base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", to, all[to-1]))
	}
	return out, nil
}

// resume is where the page of a token begins. The token holds the last ARN
// shown, so that nothing is shown twice or skipped when the list changes
// between two requests, and its place, for when that ARN itself has gone.
func resume(token string, all []string) (int, error) {
	if token == "" {
		return 0, nil
	}
	var (
		shown int
		last  string
	)
	text, err := base64.StdEncoding.DecodeString(token)
	if _, e := fmt.Sscanf(string(text), "%d %s", &shown, &last); err != nil || e != nil || shown < 1 {
		return 0, fault("InvalidParameterException", "Invalid token.")
	}
	if at := slices.Index(all, last); at >= 0 {
		return at + 1, nil
	}
	return min(shown-1, len(all)), nil
}

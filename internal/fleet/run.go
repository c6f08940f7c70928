package fleet

import (
	"fmt"
	"strconv"
	"strings"
)

// Run is a workflow run, which leaves its mark on what it deploys. The zero Run
// is none: on a laptop there is nothing to order runs by.
type Run struct {
	Repository string // owner/name
	ID         int64  // GITHUB_RUN_ID, which rises over time
	Attempt    int64
}

// String is the run as it stands in tags, "shop/release:16123456789.1"; empty for
// the zero Run.
func (r Run) String() string {
	if r == (Run{}) {
		return ""
	}
	return fmt.Sprintf("%s:%d.%d", r.Repository, r.ID, r.Attempt)
}

// ParseRun reads what String wrote; the zero Run where it did not.
func ParseRun(text string) Run {
	repository, rest, _ := strings.Cut(text, ":")
	id, attempt, _ := strings.Cut(rest, ".")
	r := Run{Repository: repository}
	var err1, err2 error
	r.ID, err1 = strconv.ParseInt(id, 10, 64)
	r.Attempt, err2 = strconv.ParseInt(attempt, 10, 64)
	if repository == "" || err1 != nil || err2 != nil {
		return Run{}
	}
	return r
}

// Newer tells whether r began after other. Runs of other repositories say
// nothing about each other.
func (r Run) Newer(other Run) bool {
	if r.Repository == "" || r.Repository != other.Repository {
		return false
	}
	return r.ID > other.ID || r.ID == other.ID && r.Attempt > other.Attempt
}

// Same tells whether both are attempts of one run.
func (r Run) Same(other Run) bool {
	return r.ID != 0 && r.Repository == other.Repository && r.ID == other.ID
}

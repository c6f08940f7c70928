package fleet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fleetFile reads one of the example fleets.
func fleetFile(t testing.TB, name string) []byte {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("..", "..", "testdata", "fleets", name))
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// messages are the mistakes as the user reads them, one a line.
func messages(ms []Mistake) string {
	var b strings.Builder
	for _, m := range ms {
		b.WriteString(m.Error() + "\n")
	}
	return b.String()
}

// parseOne parses a file of one environment "a" with the given keys, under the
// given defaults, and wants no mistake.
func parseOne(t *testing.T, defaults, keys string) Environment {
	t.Helper()
	f, ms := Parse([]byte("version: 1\ndefaults: "+defaults+"\nenvironments:\n  a: "+keys+"\n"), "f", Base{})
	if len(ms) > 0 {
		t.Fatalf("mistakes:\n%s", messages(ms))
	}
	return f.Environments[0]
}

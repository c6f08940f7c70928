package main

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// Sixty services, twelve of each strategy, in an account with three hundred
// other applications of CodeDeploy: no group is looked for by listing, and the
// hour in which CodeDeploy keeps old tasks is not waited for. Counts of polls
// differ from run to run, so that this is no scenario.
func TestEveryStrategyInOneRun(t *testing.T) {
	useSimulation(t)
	archive, err := txtar.ParseFile(filepath.Join("testdata", "every-strategy.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, part := range play(t, archive) {
		got[part.Name] = string(part.Data)
	}
	if !strings.Contains(got["summary.md"], "60 services in 60 environments: 60 deployed · 1") || !strings.HasPrefix(got["exit"], "0 after 1") {
		t.Errorf("it ended %s%s", got["exit"], got["summary.md"])
	}
	for _, never := range []string{"codedeploy:List", "codedeploy:BatchGetDeploymentGroups", "codedeploy:GetDeploymentGroup"} {
		if strings.Contains(got["calls"], never) {
			t.Errorf("groups were looked for:\n%s", got["calls"])
		}
	}
	if !strings.Contains(got["calls"], "throttled 0\n") || !strings.Contains(got["calls"], "codedeploy:CreateDeployment 12\n") {
		t.Errorf("calls:\n%s", got["calls"])
	}
	if n := strings.Count(got["after"], ":42 COMPLETED, 2 of 2 run; app: 2 × rails:v1.8.0"); n != 60 {
		t.Errorf("%d services run the new version:\n%s", n, got["after"])
	}
}

// Package demo is a fleet to try the action on: forty environments in two
// accounts and three Regions, on the AWS simulation, under AWS's documented
// quotas, with somebody else using the same quotas and one environment whose
// image cannot be pulled.
//
// Its one idea: nothing of the demonstration is staged. The simulation is served
// over loopback HTTP, the real action deploys to it, and what is checked in the
// end is what really runs in the simulated world.
//
// Read next: world.go (what exists, and what goes wrong), fleet.yml.
package demo

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"ecs-fleet/internal/sim"
)

//go:embed fleet.yml
var fleet []byte

// Speed is how many seconds of the simulated AWS pass in a real one: quotas,
// launch times and polling alike. At AWS's own pace the demonstration would
// take five minutes.
const Speed = 10

const (
	oldTag = "v1.7.0"
	newTag = "v1.8.0"
	broken = "tenant-13" // the environment whose image cannot be pulled
)

// Deploy runs the action with the given arguments, files and speed, and
// returns its exit code.
type Deploy func(ctx context.Context, args []string, readFile func(string) ([]byte, error), speed float64) int

// Run serves the simulated AWS on the loopback interface, has deploy roll a
// release out to it, and checks what runs afterwards. It sets AWS_… variables
// of this process, so that the SDK finds the simulation and nothing else. It
// returns 0 when everything went as the demonstration tells.
func Run(ctx context.Context, stdout io.Writer, deploy Deploy) int {
	aws, err := sim.New(world())
	if err != nil {
		fmt.Fprintln(stdout, "demo:", err)
		return 1
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(stdout, "demo: the simulation needs a port of the loopback interface:", err)
		return 1
	}
	server := &http.Server{Handler: aws, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // ends with Close
	defer func() { _ = server.Close() }()
	point("http://" + listener.Addr().String())
	fmt.Fprintf(stdout, intro, newTag, listener.Addr(), Speed, broken)
	code := deploy(ctx, []string{"--environments=*", "--image-tag=" + newTag, "--fleet-file=demo/fleet.yml"}, readFile, Speed)
	return check(stdout, aws, code)
}

const intro = `Deploying %s to forty environments on a simulated AWS (%s): two accounts, three Regions,
AWS's documented quotas, and another client using the same ones. Time runs %d times faster than on AWS, quotas and
launch times alike. The image cannot be pulled in %s; its services must end up on the old version.

`

// point makes every SDK client of this process talk to the simulation, with no
// credentials, profile or endpoint of the user's own.
func point(endpoint string) {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			_ = os.Unsetenv(name)
		}
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "AKIA" + home, "AWS_SECRET_ACCESS_KEY": "demo",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		_ = os.Setenv(name, value)
	}
}

func readFile(name string) ([]byte, error) {
	if name == "demo/fleet.yml" {
		return fleet, nil
	}
	return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
}

// check holds the world against what the introduction promised.
func check(stdout io.Writer, aws *sim.AWS, code int) int {
	var wrong []string
	if code != 1 {
		wrong = append(wrong, fmt.Sprintf("the action exited with %d instead of 1", code))
	}
	for _, p := range places() {
		for _, s := range p.services() {
			want := newTag
			if s.Cluster == broken {
				want = oldTag
			}
			state, _ := aws.Service(p.account, p.region, s.Cluster, s.Name)
			for container, images := range state.Images {
				for image, tasks := range images {
					if strings.Contains(image, "/shop/") && !strings.HasSuffix(image, ":"+want) {
						wrong = append(wrong, fmt.Sprintf("%s: %d tasks run %s in %s instead of %s", s.Name, tasks, image, container, want))
					}
				}
			}
			if state.Running != state.Desired {
				wrong = append(wrong, fmt.Sprintf("%s: %d of %d tasks run", s.Name, state.Running, state.Desired))
			}
		}
	}
	throttled := 0
	for _, call := range aws.Calls() {
		if call.Throttled {
			throttled++
		}
	}
	if len(wrong) > 0 {
		fmt.Fprintf(stdout, "\nThe demonstration did NOT go as told:\n  %s\n", strings.Join(wrong, "\n  "))
		return 1
	}
	fmt.Fprintf(stdout, "\nThe demonstration went as told: %s runs everywhere but in %s, which is back on %s. AWS refused %d of %d calls for throttling; no deploy failed because of it.\n",
		newTag, broken, oldTag, throttled, len(aws.Calls()))
	return 0
}

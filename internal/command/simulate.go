package command

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"time"

	"ecs-fleet/internal/sim"
)

// Simulate serves the AWS simulation over HTTP until ctx ends, for the AWS CLI
// or any other client.
func Simulate(ctx context.Context, p Process) int {
	flags := flag.NewFlagSet("simulate", flag.ContinueOnError)
	flags.SetOutput(p.Stdout)
	file := flags.String("world", "", "JSON `file` that says what exists and what goes wrong; none: empty accounts")
	address := flags.String("listen", "127.0.0.1:4599", "`address` to serve on")
	switch err := flags.Parse(p.Args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2 // told by the flag package
	}
	aws, err := simulation(*file, p.ReadFile)
	if err != nil {
		fmt.Fprintln(p.Stdout, "simulate:", err)
		return 2
	}
	aws.ForgetCalls() // nobody asks for them
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		fmt.Fprintln(p.Stdout, "simulate:", err)
		return 1
	}
	fmt.Fprintf(p.Stdout, "a simulated AWS listens on http://%s\nexport AWS_ENDPOINT_URL=http://%s AWS_ACCESS_KEY_ID=111122223333 AWS_SECRET_ACCESS_KEY=any AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1\n", listener.Addr(), listener.Addr())
	server := &http.Server{Handler: aws, ReadHeaderTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(p.Stdout, "simulate:", err)
		return 1
	}
	return 0
}

func simulation(file string, readFile func(string) ([]byte, error)) (*sim.AWS, error) {
	if file == "" {
		return sim.New(sim.World{})
	}
	text, err := readFile(file)
	if err != nil {
		return nil, fmt.Errorf("the world: %w", err)
	}
	world, err := sim.ReadWorld(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return sim.New(world)
}

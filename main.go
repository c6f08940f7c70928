// Command ecs-fleet deploys one image tag to many Amazon ECS environments. It
// is the GitHub Action's program, and the same on a laptop.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	_ "golang.org/x/crypto/x509roots/fallback" // the image is made from scratch and has no roots of its own

	"ecs-fleet/internal/command"
	"ecs-fleet/internal/demo"
)

// afterSignal is how long a cancelled run may take to write its summary. The
// runner kills the process 10 s after its first signal.
// https://github.com/actions/runner/blob/main/src/Runner.Sdk/ProcessInvoker.cs
const afterSignal = 8 * time.Second

// gcPercent is how much garbage is kept, in percent of what is in use, where GOGC
// does not say: half of Go's default. A thousand environments cost seconds of CPU,
// and share the runner's memory with whatever the job does besides.
const gcPercent = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, func() { time.AfterFunc(afterSignal, func() { os.Exit(1) }) })
	code := run(ctx, command.Process{
		Args: os.Args[1:], Getenv: os.Getenv, Environ: os.Environ(), Stdout: os.Stdout, ReadFile: os.ReadFile,
	})
	os.Exit(code)
}

// run does what the first argument says and returns the exit code.
func run(ctx context.Context, p command.Process) int {
	if len(p.Args) == 0 {
		return command.Run(ctx, p)
	}
	switch p.Args[0] {
	case "simulate":
		return command.Simulate(ctx, p)
	case "demo":
		return demo.Run(ctx, p.Stdout, func(ctx context.Context, args []string, readFile func(string) ([]byte, error), speed float64) int {
			p.Args, p.ReadFile, p.Speed = args, readFile, speed
			return command.Run(ctx, p)
		})
	}
	return command.Run(ctx, p)
}

//go:build unix

package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ecs-fleet/internal/sim"
)

// BenchmarkFleet deploys one image to fleets of equal environments in one
// account and Region, as this action does it and as others do, and prints one
// table:
//
//	go test -run '^$' -bench Fleet .
//
// Time in the table is the simulation's; all clients are the real SDK.
func BenchmarkFleet(b *testing.B) {
	for b.Loop() {
		fmt.Print("\n\n| environments | client | failed | calls | throttled | makespan | ÷ lower bound |\n|---:|---|---:|---:|---:|---:|---:|\n")
		var most expense
		for _, environments := range []int{10, 50, 200, 1000} {
			for _, tool := range tools() {
				row, spent := tool.measure(b, environments)
				fmt.Println(row)
				if tool.name == ours {
					most = spent
				}
			}
		}
		most.report(b)
	}
}

const ours = "**ecs-fleet**"

type tool struct {
	name   string
	deploy deployer
}

func tools() []tool {
	return []tool{
		{ours, ecsFleet},
		{"SDK in parallel, standard mode", sdk(standard)},
		{"SDK in parallel, adaptive mode", sdk(adaptive)},
		{"shell loop, 5 retries from 2 s", shellLoop},
	}
}

// ecsFleet is the action itself.
func ecsFleet(t *testing.T, c crowd, world *sim.AWS, tag string) int {
	result := filepath.Join(t.TempDir(), "result.json")
	c.run(t.Context(), world, "*", tag, result)
	m := measured{statuses: map[string]int{}}
	m.read(t, result)
	return c.environments - m.statuses["deployed"]
}

// measure lets the tool deploy to a fresh fleet.
func (o tool) measure(b *testing.B, environments int) (row string, spent expense) {
	within(b, func(t *testing.T) {
		useSimulation(t)
		debug.FreeOSMemory()
		synctest.Test(t, func(t *testing.T) {
			c := crowd{environments: environments}
			world := c.simulate(t)
			var failed int
			spent = expenseOf(func() { failed = o.deploy(t, c, world, "v1") })
			var m measured
			m.aws = world
			m.count(world.Calls())
			c.look(&m, "v1")
			if down := m.services - m.deployed; down > failed {
				t.Errorf("%s reported %d failed, and %d do not run the new image", o.name, failed, down)
			}
			row = m.row(o.name, environments, failed)
		})
	})
	return row, spent
}

// within runs f as a test: virtual time exists in tests only.
func within(b *testing.B, f func(*testing.T)) {
	every := func(string, string) (bool, error) { return true, nil }
	if !testing.RunTests(every, []testing.InternalTest{{Name: b.Name(), F: f}}) {
		b.FailNow()
	}
}

// row is a row of the table. Whoever did not finish has no makespan to compare.
func (m measured) row(name string, environments, failed int) string {
	least := max(bound(environments, 20, 1), bound(environments, 50, 5))
	ratio := "–"
	if failed == 0 && least > 0 {
		ratio = fmt.Sprintf("%.2f", m.span.Seconds()/least.Seconds())
	}
	return fmt.Sprintf("| %d | %s | %d | %d | %d | %.0f s | %s |", environments, name, failed, m.calls, m.throttled, m.span.Seconds(), ratio)
}

// expense is what a run has cost the machine, the simulation's part included.
type expense struct {
	cpu    time.Duration
	allocs uint64 // objects
	bytes  uint64 // allocated in all
	peak   uint64 // bytes of memory in use at most, as the runtime counts them
}

func (e expense) report(b *testing.B) {
	b.ReportMetric(e.cpu.Seconds(), "cpu-s")
	b.ReportMetric(float64(e.allocs), "allocs")
	b.ReportMetric(float64(e.bytes)/(1<<20), "allocated-MiB")
	b.ReportMetric(float64(e.peak)/(1<<20), "peak-MiB")
	fmt.Printf("\necs-fleet at 1000 environments, the simulation included: %.1f s of CPU, %.1f million allocations (%d MiB), %d MiB of memory at most\n\n",
		e.cpu.Seconds(), float64(e.allocs)/1e6, e.bytes>>20, e.peak>>20)
}

// expenseOf measures f, which runs in a bubble. Memory is looked at every
// virtual second.
func expenseOf(f func()) (e expense) {
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent)) // as main does
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began, stop, stopped := cpuTime(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			e.peak = max(e.peak, memory())
			select {
			case <-time.After(time.Second):
			case <-stop:
				return
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	runtime.ReadMemStats(&after)
	e.cpu, e.allocs, e.bytes = cpuTime()-began, after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	return e
}

// memory is what the process has of the machine: all that the runtime has
// mapped and not given back.
func memory() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}

// cpuTime is what the process has used of all processors.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func TestAThousandEnvironmentsFitOnARunner(t *testing.T) {
	useSimulation(t)
	result := filepath.Join(t.TempDir(), "result.json")
	c := crowd{environments: 1000}
	m := measured{statuses: make(map[string]int)}
	var spent expense
	debug.FreeOSMemory()
	synctest.Test(t, func(t *testing.T) {
		m.aws = c.simulate(t)
		spent = expenseOf(func() { m.code = c.run(t.Context(), m.aws, "*", "v1", result) })
		m.count(m.aws.Calls())
		c.look(&m, "v1")
	})
	m.read(t, result)
	m.alone(t, 1000)
	t.Logf("%v of CPU, %d MB of memory at most, the simulation included", spent.cpu, spent.peak/1e6)
	if raceDetector() {
		return // it takes several times as much of both
	}
	if spent.cpu > 30*time.Second || spent.peak > 200e6 {
		t.Errorf("%v of CPU and %d MB of memory, want at most 30 s and 200 MB", spent.cpu, spent.peak/1e6)
	}
}

func raceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

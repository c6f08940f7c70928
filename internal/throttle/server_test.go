package throttle_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"ecs-fleet/internal/throttle"
)

// server is an AWS endpoint with one enforcing token bucket: an
// http.RoundTripper that refuses. It is written from AWS's description of its
// buckets, not from ours. Fields are set before the first request.
type server struct {
	// quota is the real bucket as time passes since the first request.
	quota func(since time.Duration) throttle.Quota
	// empty makes the bucket start without a token.
	empty bool
	// there is the time that a request travels, and so does its answer. 0 means
	// 30 ms.
	there func(*rand.Rand) time.Duration
	// seed makes there another one.
	seed uint64
	// answer, when set, decides instead of the bucket. A nil result leaves it to
	// the bucket.
	answer func(n int, r *http.Request) (*http.Response, error)

	mu       sync.Mutex
	rand     *rand.Rand
	begun    time.Time
	refilled time.Time
	tokens   float64
	arrivals []arrival
}

// arrival is a request as the server saw it.
type arrival struct {
	client, action string
	at             time.Duration // since the first request
	refused        bool
}

func constant(q throttle.Quota) func(time.Duration) throttle.Quota {
	return func(time.Duration) throttle.Quota { return q }
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(s.travel())
	response, err := s.handle(r)
	time.Sleep(s.travel())
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	return response, err
}

func (s *server) travel() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rand == nil {
		s.rand = rand.New(rand.NewPCG(s.seed, 2))
		s.begun = time.Now()
		s.refilled = s.begun
		if s.quota == nil {
			s.quota = constant(throttle.Quota{Rate: 1e6, Burst: 1e6})
		}
		if !s.empty {
			s.tokens = s.quota(0).Burst
		}
	}
	if s.there == nil {
		return 30 * time.Millisecond
	}
	return s.there(s.rand)
}

func (s *server) handle(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	s.arrivals = append(s.arrivals, arrival{client: r.Header.Get("Client"), action: action, at: time.Since(s.begun)})
	if s.answer != nil {
		if response, err := s.answer(len(s.arrivals), r); response != nil || err != nil {
			return response, err
		}
	}
	if s.take() {
		return reply(200, "{}"), nil
	}
	s.arrivals[len(s.arrivals)-1].refused = true
	return reply(400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`), nil
}

func (s *server) take() bool {
	now := time.Now()
	q := s.quota(now.Sub(s.begun))
	s.tokens = min(q.Burst, s.tokens+q.Rate*now.Sub(s.refilled).Seconds())
	s.refilled = now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}

// refused counts the throttled answers.
func (s *server) refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, a := range s.arrivals {
		if a.refused {
			n++
		}
	}
	return n
}

// accepted counts requests let in between two moments, by client.
func (s *server) accepted(from, until time.Duration) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[string]int{}
	for _, a := range s.arrivals {
		if !a.refused && a.at > from && a.at <= until {
			n[a.client]++
		}
	}
	return n
}

func reply(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/x-amz-json-1.1"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func failure(status int, code, message string, header ...string) *http.Response {
	return reply(status, fmt.Sprintf(`{"__type":%q,"message":%q}`, code, message), header...)
}

// client is a real ECS client of a scope.
func client(s *throttle.Scope, transport http.RoundTripper) *ecs.Client {
	return named(s, transport, "")
}

// named is a client whose requests carry a name for the server's statistics.
func named(s *throttle.Scope, transport http.RoundTripper, name string) *ecs.Client {
	return ecs.NewFromConfig(aws.Config{
		Region:      "eu-west-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		HTTPClient:  &http.Client{Transport: tagged{transport, name}},
		Retryer:     s.Retryer(),
		APIOptions:  s.APIOptions(),
	})
}

type tagged struct {
	http.RoundTripper
	name string
}

func (t tagged) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Client", t.name)
	return t.RoundTripper.RoundTrip(r)
}

func update(ctx context.Context, c *ecs.Client) error {
	_, err := c.UpdateService(ctx, &ecs.UpdateServiceInput{Service: aws.String("rails")})
	return err
}

func describe(ctx context.Context, c *ecs.Client) error {
	_, err := c.DescribeServices(ctx, &ecs.DescribeServicesInput{Services: []string{"rails"}})
	return err
}

func deregister(ctx context.Context, c *ecs.Client) error {
	_, err := c.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("rails:1")})
	return err
}

// flood starts n UpdateService calls at once and waits for them; it returns how
// long they took and how many failed.
func flood(t *testing.T, c *ecs.Client, n int) (took time.Duration, failed int) {
	t.Helper()
	return floodWith(t, c, n, update)
}

func floodWith(t *testing.T, c *ecs.Client, n int, call func(context.Context, *ecs.Client) error) (took time.Duration, failed int) {
	t.Helper()
	start := time.Now()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = call(t.Context(), c) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Log(err)
			failed++
		}
	}
	return time.Since(start), failed
}

// Package cloud is the AWS edge: the only place with AWS service types. It has
// one Client for each role and Region, converts answers to the nouns of package
// fleet, and adds operation and resource to errors.
//
// Its one idea: what is true of an account and Region (its quotas, its task
// definitions, the registrations under way) is shared by all clients there,
// whichever role they use.
//
// It decides nothing: what to do with a service is package plan's, when and how
// often is package rollout's, and how fast is package throttle's, inside every
// call.
//
// Read next: service.go, definition.go (how a revision is copied without losing
// a field), error.go.
package cloud

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	autoscaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/sync/semaphore"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/throttle"
)

// idleConnections is how many connections to one AWS endpoint are kept open.
// The SDK keeps 10, and would pay a TLS handshake for nearly every call of a
// large fleet.
const idleConnections = 128

// answerWithin is how long an answer may take to begin, once its request is
// sent. AWS's take seconds at most; one that never comes would stop the polls of
// a whole account and Region, as the SDK waits for ever.
const answerWithin = 30 * time.Second

// Options say how AWS is reached.
type Options struct {
	Transport http.RoundTripper  // nil: the SDK's own, over the network
	Throttle  *throttle.Registry // required
	Session   string             // session name of assumed roles: 2-64 of [\w+=,.@-]
	Run       fleet.Run          // stands on the revisions that are registered; zero: nothing does
	Commit    string             // stands there as well; empty: it does not
}

// Cloud makes clients. Safe for concurrent use.
type Cloud struct {
	base    aws.Config
	options Options

	mu        sync.Mutex
	roles     map[roleKey]*role
	locations map[locationKey]*location
	clients   map[clientKey]*Client
}

// Place is where an environment lives and how it is entered.
type Place struct {
	Account    fleet.AccountID // empty: whatever account the credentials belong to
	Region     fleet.Region
	RoleARN    fleet.ARN // empty: the ambient credentials
	ExternalID string
}

// PlaceOf is the Place of an environment.
func PlaceOf(e fleet.Environment) Place {
	return Place{Account: e.Account, Region: e.Region, RoleARN: e.RoleARN, ExternalID: e.ExternalID}
}

type (
	roleKey struct {
		arn        fleet.ARN
		externalID string
	}
	locationKey struct {
		account fleet.AccountID
		region  fleet.Region
	}
	clientKey struct {
		roleKey
		region fleet.Region
	}
)

// Client calls AWS in one Region with one role's credentials. Safe for
// concurrent use; its methods block until AWS has answered, which includes
// waiting for the quota.
type Client struct {
	Account fleet.AccountID
	Region  fleet.Region

	cloud      *Cloud
	config     aws.Config
	location   *location
	ecs        *ecs.Client
	logs       *cloudwatchlogs.Client
	elb        *elasticloadbalancingv2.Client
	cloudwatch *cloudwatch.Client
	scaling    *autoscaling.Client

	untagged atomic.Bool // tags of the run were refused

	codedeploy *codedeploy.Client
}

// New reads the ambient configuration (AWS_… variables, shared files, the
// runner's or machine's role) as every SDK client does. It makes no AWS call.
func New(ctx context.Context, o Options) (*Cloud, error) {
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns = 0 // no limit
		t.MaxIdleConnsPerHost = idleConnections
		t.ResponseHeaderTimeout = answerWithin
	})
	base, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(client))
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	if o.Transport != nil {
		base.HTTPClient = &http.Client{Transport: o.Transport}
	}
	return &Cloud{
		base: base, options: o,
		roles:     make(map[roleKey]*role),
		locations: make(map[locationKey]*location),
		clients:   make(map[clientKey]*Client),
	}, nil
}

// Client returns the client for a place. The first call for a role assumes it
// and asks AWS whose credentials they are. It returns a *WrongAccountError when
// that is not the account that the place names.
func (c *Cloud) Client(ctx context.Context, p Place) (*Client, error) {
	key := roleKey{p.RoleARN, p.ExternalID}
	r := get(&c.mu, c.roles, key, func() *role {
		return &role{arn: p.RoleARN, externalID: p.ExternalID, turn: semaphore.NewWeighted(1), errs: make(map[fleet.Region]error)}
	})
	if err := r.resolve(ctx, c, p.Region); err != nil {
		return nil, err
	}
	if p.Account != "" && p.Account != r.account {
		return nil, &WrongAccountError{Want: p.Account, Got: r.account, Caller: r.caller}
	}
	return get(&c.mu, c.clients, clientKey{key, p.Region}, func() *Client { return c.newClient(r, p.Region) }), nil
}

// newClient is called with c.mu held.
func (c *Cloud) newClient(r *role, region fleet.Region) *Client {
	key := locationKey{r.account, region}
	where, found := c.locations[key]
	if !found {
		where = newLocation()
		c.locations[key] = where
	}
	cfg := c.config(r.credentials, r.account, region)
	return &Client{
		Account: r.account, Region: region,
		cloud: c, config: cfg, location: where,
		ecs: ecs.NewFromConfig(cfg), logs: cloudwatchlogs.NewFromConfig(cfg),
		elb: elasticloadbalancingv2.NewFromConfig(cfg), cloudwatch: cloudwatch.NewFromConfig(cfg), scaling: autoscaling.NewFromConfig(cfg),
		codedeploy: codedeploy.NewFromConfig(cfg),
	}
}

// config is the SDK configuration whose calls are metered against the quotas of
// the account and Region.
func (c *Cloud) config(credentials aws.CredentialsProvider, account fleet.AccountID, region fleet.Region) aws.Config {
	scope := c.options.Throttle.Scope(string(account), string(region))
	cfg := c.base.Copy()
	cfg.Region = string(region)
	cfg.Credentials = credentials
	cfg.APIOptions = append(cfg.APIOptions, scope.APIOptions()...)
	cfg.Retryer = scope.Retryer()
	return cfg
}

// in is the client's configuration for another Region: a registry's.
func (c *Client) in(region fleet.Region) aws.Config {
	return c.cloud.config(c.config.Credentials, c.Account, region)
}

// ecrClient reads a registry, which may be in another Region.
func (c *Client) ecrClient(region fleet.Region) *ecr.Client { return ecr.NewFromConfig(c.in(region)) }

// role is one role's credentials, shared by all environments that use it:
// a thousand environments behind twenty roles assume twenty times.
type role struct {
	arn        fleet.ARN
	externalID string

	turn        *semaphore.Weighted // held while the fields below are found out
	resolved    bool
	errs        map[fleet.Region]error // what came of asking there
	credentials aws.CredentialsProvider
	account     fleet.AccountID
	caller      fleet.ARN
}

// resolve finds out who the role is, once; where that fails, once in each
// Region, since it may be the Region that is wrong: a misspelt one has no
// endpoint, and must not hurt the environments elsewhere. An error that a
// context's end caused is not kept: it says nothing of the role.
func (r *role) resolve(ctx context.Context, c *Cloud, region fleet.Region) error {
	if err := r.turn.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	defer r.turn.Release(1)
	if err := r.errs[region]; r.resolved || err != nil {
		return err
	}
	err := r.identify(ctx, c, region)
	switch {
	case err == nil:
		r.resolved = true
		clear(r.errs)
	case ctx.Err() == nil:
		r.errs[region] = err
	}
	return err
}

func (r *role) identify(ctx context.Context, c *Cloud, region fleet.Region) error {
	if _, err := c.base.Credentials.Retrieve(ctx); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &NoCredentialsError{err}
	}
	ambient := c.config(c.base.Credentials, "", region)
	r.credentials = c.base.Credentials
	if r.arn != "" {
		r.credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(ambient), string(r.arn), func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = c.options.Session
			if r.externalID != "" {
				o.ExternalID = &r.externalID
			}
		}))
		// Assumed by hand first, so that a refusal is told as one of
		// AssumeRole and not of the first call that needed the role.
		if _, err := r.credentials.Retrieve(ctx); err != nil {
			return wrap(err, "sts:AssumeRole", "role "+string(r.arn))
		}
	}
	out, err := sts.NewFromConfig(c.config(r.credentials, "", region)).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return wrap(err, "sts:GetCallerIdentity", "the ambient credentials")
	}
	r.account, r.caller = fleet.AccountID(aws.ToString(out.Account)), fleet.ARN(aws.ToString(out.Arn))
	return nil
}

// First returns a context whose calls wait for no other's: what is taken back
// must not stand behind a thousand deploys.
func First(ctx context.Context) context.Context { return throttle.WithPriority(ctx, throttle.Undo) }

// pause sleeps, or returns why ctx has ended.
func (c *Client) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// SessionName makes a role session name of any text.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func SessionName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 128 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_+=,.@-", r)) {
			return r
		}
		return '-'
	}, s)
	return s[:min(len(s), 64)]
}

func get[K comparable, V any](mu *sync.Mutex, m map[K]V, key K, make func() V) V {
	mu.Lock()
	defer mu.Unlock()
	v, found := m[key]
	if !found {
		v = make()
		m[key] = v
	}
	return v
}

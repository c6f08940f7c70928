package cloud

import "testing"

func parse(t *testing.T, text string) object {
	t.Helper()
	var o object
	if err := unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestWhichContentsAreEqual(t *testing.T) {
	const base = `{"family":"f","networkMode":"awsvpc","cpu":"1024","memory":"2048","containerDefinitions":[
		{"name":"a","image":"i:1","environment":[{"name":"X","value":"1"},{"name":"Y","value":"2"}],"portMappings":[{"containerPort":80}],"command":["run","fast"]},
		{"name":"b","image":"j:1"}]}`
	tests := []struct {
		name  string
		other string
		equal bool
	}{
		{"itself", base, true},
		{"with AWS's defaults spelt out, and empty lists", `{"family":"f","networkMode":"awsvpc","cpu":"1 vCPU","memory":"2 GB","volumes":[],"placementConstraints":[],"containerDefinitions":[
			{"name":"b","image":"j:1","essential":true,"cpu":0,"mountPoints":[],"environment":[]},
			{"name":"a","image":"i:1","essential":true,"cpu":0,"environment":[{"name":"Y","value":"2"},{"name":"X","value":"1"}],"portMappings":[{"containerPort":80,"hostPort":80,"protocol":"tcp"}],"command":["run","fast"]}]}`, true},
		{"another image", `{"family":"f","networkMode":"awsvpc","cpu":"1024","memory":"2048","containerDefinitions":[
			{"name":"a","image":"i:2","environment":[{"name":"X","value":"1"},{"name":"Y","value":"2"}],"portMappings":[{"containerPort":80}],"command":["run","fast"]},{"name":"b","image":"j:1"}]}`, false},
		{"another order of the command", `{"family":"f","networkMode":"awsvpc","cpu":"1024","memory":"2048","containerDefinitions":[
			{"name":"a","image":"i:1","environment":[{"name":"X","value":"1"},{"name":"Y","value":"2"}],"portMappings":[{"containerPort":80}],"command":["fast","run"]},{"name":"b","image":"j:1"}]}`, false},
		{"a container that is not essential", `{"family":"f","networkMode":"awsvpc","cpu":"1024","memory":"2048","containerDefinitions":[
			{"name":"a","image":"i:1","environment":[{"name":"X","value":"1"},{"name":"Y","value":"2"}],"portMappings":[{"containerPort":80}],"command":["run","fast"]},{"name":"b","image":"j:1","essential":false}]}`, false},
		{"a field that nobody knows yet", `{"family":"f","networkMode":"awsvpc","cpu":"1024","memory":"2048","sparkle":true,"containerDefinitions":[
			{"name":"a","image":"i:1","environment":[{"name":"X","value":"1"},{"name":"Y","value":"2"}],"portMappings":[{"containerPort":80}],"command":["run","fast"]},{"name":"b","image":"j:1"}]}`, false},
		{"tags", `{"family":"f","networkMode":"awsvpc","cpu":"1024","memory":"2048","tags":[{"key":"team","value":"web"}],"containerDefinitions":[
			{"name":"a","image":"i:1","environment":[{"name":"X","value":"1"},{"name":"Y","value":"2"}],"portMappings":[{"containerPort":80}],"command":["run","fast"]},{"name":"b","image":"j:1"}]}`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := key(parse(t, base)) == key(parse(t, tt.other)); got != tt.equal {
				t.Errorf("equal is %v, want %v", got, tt.equal)
			}
		})
	}
}

func TestKeyLeavesTheContentAlone(t *testing.T) {
	o := parse(t, `{"containerDefinitions":[{"name":"b","cpu":0},{"name":"a"}],"volumes":[]}`)
	key(o)
	containers := list(o["containerDefinitions"])
	if containers[0].(object)["name"] != "b" || containers[0].(object)["cpu"] == nil || o["volumes"] == nil {
		t.Errorf("key has changed the content: %v", o)
	}
}

func TestImageReferencesOfPrivateRegistries(t *testing.T) {
	tests := map[string]Image{
		"444455556666.dkr.ecr.us-east-1.amazonaws.com/shop/rails:v1":         {"444455556666", "us-east-1", "shop/rails", "v1"},
		"444455556666.dkr.ecr.us-east-1.amazonaws.com/rails":                 {"444455556666", "us-east-1", "rails", "latest"},
		"444455556666.dkr.ecr.us-east-1.amazonaws.com/rails:v1@sha256:abc":   {"444455556666", "us-east-1", "rails", "sha256:abc"},
		"444455556666.dkr.ecr-fips.us-gov-west-1.amazonaws.com/rails:v1":     {"444455556666", "us-gov-west-1", "rails", "v1"},
		"444455556666.dkr.ecr.cn-north-1.amazonaws.com.cn/rails:v1":          {"444455556666", "cn-north-1", "rails", "v1"},
		"docker.io/library/nginx:1":                                          {},
		"public.ecr.aws/nginx/nginx:1":                                       {},
		"4444.dkr.ecr.us-east-1.amazonaws.com/rails:v1":                      {},
		"evil.example/444455556666.dkr.ecr.us-east-1.amazonaws.com/rails:v1": {},
	}
	for reference, want := range tests {
		got, ok := ParseImage(reference)
		if got != want || ok != (want != Image{}) {
			t.Errorf("ParseImage(%q) = %v, %v; want %v", reference, got, ok, want)
		}
	}
}

package fleet

import "testing"

func TestShapesAcceptWhatAWSAccepts(t *testing.T) {
	tests := []struct {
		key    string
		accept []string
		refuse []string
	}{
		{"account", []string{"111122223333", "012345678901"}, []string{"11112222333", "1111222233334", "11112222333x", "１11122223333"}},
		{"region",
			[]string{"eu-west-1", "ap-northeast-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "eusc-de-east-1", "cn-north-1", "mx-central-1"},
			[]string{"tokyo", "eu-west", "eu-west-1a", "EU-WEST-1", "eu_west_1", "eu-west-1\n", "eu-west-1.evil.example"}},
		{"role-arn",
			[]string{"arn:aws:iam::111122223333:role/deploy", "arn:aws-cn:iam::111122223333:role/ci/deploy@prod", "arn:aws-us-gov:iam::111122223333:role/x"},
			[]string{"deploy", "arn:aws:iam::111122223333:user/x", "arn:aws:iam:eu-west-1:111122223333:role/x", "arn:aws:iam::1:role/x", "arn:aws:iam::111122223333:role/", "arn:aws:iam::111122223333:role/a b"}},
		{"external-id", []string{"ab", "a+b=c,d.e@f:g/h-i"}, []string{"a", "a b", "ä1"}},
		{"cluster",
			[]string{"main", "Main_1-b", "arn:aws:ecs:eu-west-1:111122223333:cluster/main"},
			[]string{"a.b", "a/b", "arn:aws:ecs:eu-west-1:111122223333:service/main"}},
		{"service", []string{"web", "Web_1-b"}, []string{"a.b", "arn:aws:ecs:eu-west-1:111122223333:service/main/web"}},
		{"desired-count", []string{"0", "8", "+4", "-2", "200%"}, []string{"", "eight", "1.5", "0x10", "+200%", "8 ", "1_0"}},
		{"image", []string{"nginx", "nginx:1.27", "registry.example:5000/a/b@sha256:00"}, []string{"a b", "-a", "a\n"}},
	}
	for _, tt := range tests {
		for _, v := range tt.accept {
			if !shapes[tt.key].pattern.MatchString(v) {
				t.Errorf("%s refuses %q", tt.key, v)
			}
		}
		for _, v := range tt.refuse {
			if shapes[tt.key].pattern.MatchString(v) {
				t.Errorf("%s accepts %q", tt.key, v)
			}
		}
	}
}

func TestATimeoutIsADurationWithinBounds(t *testing.T) {
	for text, ok := range map[string]bool{"1s": true, "45m": true, "1h30m": true, "24h": true, "": false, "45": false, "-5m": false, "0s": false, "24h1s": false, "1d": false} {
		if _, err := parseTimeout(text); (err == nil) != ok {
			t.Errorf("parseTimeout(%q) = %v", text, err)
		}
	}
}

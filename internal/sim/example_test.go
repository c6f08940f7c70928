package sim_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"ecs-fleet/internal/sim"
)

// A client of any kind talks to the simulation by way of RoundTripper.
func ExampleRoundTripper() {
	aws, err := sim.New(sim.World{})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := http.Client{Transport: sim.RoundTripper(aws)}
	r, err := http.NewRequest("POST", "https://ecs.eu-west-1.amazonaws.com/", strings.NewReader(`{"cluster": "main", "services": ["rails"]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	r.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.DescribeServices")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA111122223333/20260131/eu-west-1/ecs/aws4_request, SignedHeaders=host, Signature=0")
	answer, err := client.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.StatusCode, string(text))
	for _, call := range aws.Calls() {
		fmt.Println(call.Account, call.Region, call.Action, call.Bucket, call.Code)
	}
	// Output:
	// 400 {"__type":"ClusterNotFoundException","message":"Cluster not found."}
	// 111122223333 eu-west-1 DescribeServices ecs:service-read ClusterNotFoundException
}

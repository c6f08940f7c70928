package rollout

import (
	"errors"
	"testing"

	"ecs-fleet/internal/cloud"
	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/watch"
)

func TestAServiceIsDeletedWhenTwoLooksInARowDoNotShowIt(t *testing.T) {
	type look struct {
		status string
		err    error
	}
	there, draining := look{status: "ACTIVE"}, look{status: "DRAINING"}
	missing, noCluster, trouble := look{err: watch.ErrMissing}, look{err: &cloud.MissingError{What: "cluster"}}, look{err: errors.New("no answer")}
	tests := []struct {
		name  string
		looks []look
		want  bool // after the last of them
	}{
		{"there", []look{there}, false},
		{"being deleted", []look{draining}, true},
		{"left out once", []look{missing}, false},
		{"left out once, and then there", []look{missing, there, missing}, false},
		{"left out twice", []look{missing, missing}, true},
		{"left out twice, with trouble in between", []look{missing, trouble, missing}, true},
		{"its cluster does not exist", []look{noCluster, noCluster}, true},
		{"trouble tells nothing", []look{trouble, trouble, trouble}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var followed tracked
			var got bool
			for _, l := range tt.looks {
				got = followed.deleted(fleet.Service{Status: l.status}, l.err)
			}
			if got != tt.want {
				t.Errorf("deleted: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestADeploymentThatDoesNotSayHowManyTasksItWantsIsNotTakenForNone(t *testing.T) {
	service := fleet.Service{Desired: 2, Running: 2}
	tests := []struct {
		name    string
		last    fleet.ServiceDeployment
		service fleet.Service
		desired int
		reason  string
	}{
		{"it says", fleet.ServiceDeployment{ARN: "a", Requested: 4, Running: 4}, service, 4, ""},
		{"it does not", fleet.ServiceDeployment{ARN: "a"}, service, 2, ""},
		{"none is wanted", fleet.ServiceDeployment{ARN: "a"}, fleet.Service{}, 0, "unproven, since 0 tasks are desired"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := new(Rollout).finish(t.Context(), t.Context(), nil, tracked{last: tt.last, service: tt.service}, 0)
			if *e.desired != tt.desired || e.running != tt.desired || e.reason != tt.reason {
				t.Errorf("%d of %d tasks, %q; want %d, %q", e.running, *e.desired, e.reason, tt.desired, tt.reason)
			}
		})
	}
}

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

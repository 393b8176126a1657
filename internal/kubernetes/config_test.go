package kubernetes

import (
	"strings"
	"testing"
	"time"
)

// TestConfigValidate checks that all mistakes are told at once, and what is good is taken.
func TestConfigValidate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		config Config
		want   []string // parts of the lines of the error
	}{
		"least": {Config{Image: "peerlab"}, nil},
		"all": {Config{
			Image: "registry.example:5000/a/peerlab@sha256:00", Namespace: "lab-1", PullPolicy: "IfNotPresent", CPU: "100m", Memory: "64Mi",
			NodeSelector: map[string]string{"kubernetes.io/arch": "amd64", "gpu": ""},
		}, nil},
		"no image":   {Config{Image: " "}, []string{`image " ": it must be a reference`}},
		"two images": {Config{Image: "a b"}, []string{`image "a b"`}},
		"everything": {
			Config{Namespace: "Lab", PullPolicy: "never", CPU: "much", Memory: "-1", NodeSelector: map[string]string{"a b": "c"}},
			[]string{`image ""`, `namespace "Lab"`, `image pull policy "never": is none of`, `cpu "much"`, `memory "-1"`, `node selector "a b"="c"`},
		},
		"nothing of it": {Config{Image: "i", CPU: "0"}, []string{`cpu "0"`}},
		"long":          {Config{Image: "i", Namespace: strings.Repeat("n", 64)}, []string{"1 to 63"}},
		"a label":       {Config{Image: "i", NodeSelector: map[string]string{"a": "-"}}, []string{`node selector "a"="-"`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkError(t, test.config.validate(), test.want)
			if _, err := New(test.config); test.want != nil && err == nil {
				t.Error("New takes it")
			}
		})
	}
}

func TestSpecValidate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spec Spec
		want []string
	}{
		"least":     {Spec{Peers: []string{"a"}, Deadline: time.Second}, nil},
		"named":     {Spec{Name: strings.Repeat("n", maxName), Peers: []string{"a"}, Deadline: time.Hour}, nil},
		"most":      {Spec{Peers: make([]string, maxPeers), Deadline: time.Hour}, nil},
		"no peers":  {Spec{Deadline: time.Hour}, []string{"1 to 10000 peers, not 0"}},
		"too many":  {Spec{Peers: make([]string, maxPeers+1), Deadline: time.Hour}, []string{"not 10001"}},
		"long name": {Spec{Name: strings.Repeat("n", maxName+1), Peers: []string{"a"}, Deadline: time.Hour}, []string{"1 to 57"}},
		"all":       {Spec{Name: "A", Deadline: time.Millisecond}, []string{`job name "A"`, "not 0", "a deadline of 1ms is none"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkError(t, test.spec.validate(), test.want)
		})
	}
}

// checkError checks that an error has a line for each part of want, and no others.
func checkError(t *testing.T, err error, want []string) {
	t.Helper()
	var lines []string
	if err != nil {
		lines = strings.Split(err.Error(), "\n")
	}
	if len(lines) != len(want) {
		t.Fatalf("%q, want %d lines", lines, len(want))
	}
	for i, line := range lines {
		if !strings.Contains(line, want[i]) {
			t.Errorf("line %d: %q, want %q", i+1, line, want[i])
		}
	}
}

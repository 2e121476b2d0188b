package detect

import (
	"encoding/hex"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

const pythonExample = "../../plugins/examples/nightload-python"

// interpret runs Debian's interpreter in the example's folder.
func interpret(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", append([]string{"-B"}, args...)...)
	cmd.Dir = pythonExample
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("python3 %s: %v\n%s\nwhere a module is missing, run: make peers", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// python packs the example in Python into the one file that is its program.
func python(t testing.TB) ThirdParty {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nightload.pyz")
	interpret(t, "-m", "zipapp", "--python", "/usr/bin/python3 -I", "--output", path, "src")
	sum, err := fileSum(path)
	if err != nil {
		t.Fatal(err)
	}
	return ThirdParty{Name: "nightload_python", Path: path, SHA256: sum, Config: []byte(`{"times": 1.5}`)}
}

func TestADetectorInPython(t *testing.T) {
	p := launch(t, LaunchConfig{ThirdParty: []ThirdParty{python(t)}, StartTimeout: 5 * time.Minute})
	if s := statusOf(t, p, "nightload_python"); s.State != PluginReady {
		t.Fatalf("%+v\nwhere a module is missing, run: make peers", s)
	}
	in := district(t)
	r := mustRun(t, in, p.Evaluators()...)
	if len(r.Failed) != 0 {
		t.Fatalf("failed: %+v", r.Failed)
	}
	top := r.UsagePoints[0]
	if top.UsagePointID != "UP-0007" || len(top.Findings) != 1 || top.Findings[0].Innocent[0].Outcome != sdk.Unlikely {
		t.Errorf("found %+v first; the miner is UP-0007, whose power does not cycle", top)
	}
	if first, second := asJSON(t, r), asJSON(t, mustRun(t, in, p.Evaluators()...)); first != second {
		t.Errorf("two runs differ:\n%s\n%s", first, second)
	}
	if s := statusOf(t, p, "nightload_python"); s.PID == 0 || s.Runs != 2 {
		t.Errorf("status %+v", s)
	}
}

func TestAConfigurationThatPythonRefuses(t *testing.T) {
	program := python(t)
	program.Config = []byte(`{"times": 0.5, "hours": 3}`)
	p := launch(t, LaunchConfig{ThirdParty: []ThirdParty{program}, StartTimeout: 5 * time.Minute})
	s := statusOf(t, p, "nightload_python")
	for _, want := range []string{"times: 0.5 is not a number of at least 1", "hours: is not a field"} {
		if s.State != PluginRefused || !strings.Contains(s.Error, want) {
			t.Errorf("it says %q (%s); it should say %q", s.Error, s.State, want)
		}
	}
}

func TestPythonsOwnTests(t *testing.T) {
	if out := interpret(t, "test_nightload.py"); !strings.Contains(out, "OK") {
		t.Error(out)
	}
}

// The messages of the example are messages of the contract.
func TestPythonsMessages(t *testing.T) {
	out := interpret(t, "-c", `import sys
sys.path.insert(0, "src")
from gridwarden import detector_pb2
print(detector_pb2.DESCRIPTOR.serialized_pb.hex())`)
	raw, err := hex.DecodeString(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	var file descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	theirs, err := protodesc.NewFile(&file, nil)
	if err != nil {
		t.Fatal(err)
	}
	sameMessages(t, theirs.Messages(), detectorv1.File_detector_v1_detector_proto.Messages())
}

// sameMessages compares messages field by field. Fields that the contract has
// got since are no contradiction: who does not know them passes them over.
func sameMessages(t *testing.T, theirs, ours protoreflect.MessageDescriptors) {
	t.Helper()
	if theirs.Len() == 0 {
		t.Error("no messages")
	}
	for i := range theirs.Len() {
		message := ours.ByName(theirs.Get(i).Name())
		for j := range theirs.Get(i).Fields().Len() {
			field := theirs.Get(i).Fields().Get(j)
			var known protoreflect.FieldDescriptor
			if message != nil {
				known = message.Fields().ByNumber(field.Number())
			}
			if known == nil || known.Name() != field.Name() || known.Kind() != field.Kind() || known.Cardinality() != field.Cardinality() {
				t.Errorf("%s is not in detector.proto; run make proto in plugins/examples/nightload-python", field.FullName())
			}
		}
	}
}

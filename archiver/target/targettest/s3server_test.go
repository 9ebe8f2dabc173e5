package targettest

import (
	"os"
	"strings"
	"testing"
)

func TestTheServerThatIsLookedForIsTheOneThatIsInstalled(t *testing.T) {
	for _, name := range []string{"../../../.ci/tools", "../../../.ci/left-out"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), "/varve/"+versitygw) {
			t.Errorf("%s does not know %s", name, versitygw)
		}
	}
}

func TestTheServerEndsWithItsTest(t *testing.T) {
	var s *S3Server
	t.Run("started", func(t *testing.T) { s = StartS3(t) })
	if s == nil {
		t.Skip("no server to start")
	}
	if _, err := os.Stat(s.Root); !os.IsNotExist(err) {
		t.Errorf("its folder is left: %v", err)
	}
}

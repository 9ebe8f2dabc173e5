package s3

import (
	"testing"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/targettest"
)

func TestAgainstARealServer(t *testing.T) {
	targettest.Run(t, func(t *testing.T) target.Target { return open(t, targettest.StartS3(t), "p") })
}

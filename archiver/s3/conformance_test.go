package s3

import (
	"testing"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archivertest"
)

func TestAgainstARealServer(t *testing.T) {
	archivertest.Run(t, func(t *testing.T) archiver.Target { return open(t, archivertest.StartS3(t), "p") })
}

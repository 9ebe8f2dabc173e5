// Command varve is the command line of the store: objects in and out, whole
// trees of files, streams of JSON, and a look at what is on the disk; check and
// repair; and the archiver, with backups and restores. Each command has a file of
// its own; varve COMMAND --help is its manual.
//
// # The store
//
// -d DIR or the variable VARVE_DIR names it. put, del, import and load create
// it where it is absent; the others do not. Whatever only reads takes no lock
// and works while another process writes.
//
// # Keys
//
// A key is the bytes of its argument. It is printed as it is if all of it is
// printable UTF-8 and it does not begin with a quote, and as a quoted Go string
// otherwise; with --quoted an argument may be such a string. In JSON bytes are
// a string under their name if they are UTF-8, and base64 under the name
// with _b64 else.
//
// # Exit codes
//
//	0  done
//	1  not found (get, has)
//	2  usage, or bad input
//	3  damage or findings: bytes, segments or the newest log are not what they must
//	   be, or what was asked to look (check, verify, audit, status) found something
//	4  another process has the store open for writing
//	5  any other failure
//
// A signal that ends long work in good order gives 128 and its number: 130 for Ctrl-C.
// archive run ends so with 0. A signal that was ignored at the start, as nohup has it, stays
// ignored.
package main

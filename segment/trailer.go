package segment

import "hash/crc32"

// trailer is the numbers of a trailer, in their order.
type trailer [digestAt / 8]int64

// Trailer reads the summary at the end of a sealed file and checks that the
// trailer is the one that was written: not that the summary is right, nor anything
// before it. It needs no more of a header than ReaderFor does, less its first
// sequence number. It is for finding out what a damaged file was. Errors are
// those of OpenFooter.
func (r *Reader) Trailer() (*Summary, error) {
	b, at, err := r.readTrailer()
	if err != nil {
		return nil, err
	}
	s, _, err := r.parseTrailer(b, at)
	if err != nil {
		return nil, r.named(err)
	}
	return &s, nil
}

// parseTrailer reads the trailer that stands at offset at and checks its CRC.
func (r *Reader) parseTrailer(b []byte, at int64) (s Summary, v trailer, err error) {
	if string(b[trailerSize-len(footerMagic):]) != footerMagic {
		return s, v, ErrNoFooter
	}
	intact := le.Uint16(b[trailerCRC+crcSize+2:]) == 0 &&
		crc32.Update(r.seed.at(at), castagnoli, b[:trailerCRC]) == le.Uint32(b[trailerCRC:])
	if err := checkVersion(le.Uint16(b[trailerCRC+crcSize:]), at+trailerCRC+crcSize, intact); err != nil {
		return s, v, err
	}
	if !intact {
		return s, v, corrupt(at, "trailer checksum")
	}
	for i := range v {
		v[i] = int64(le.Uint64(b[8*i:]))
	}
	return Summary{
		RecordsEnd: v[0], Puts: v[5], Deletes: v[6], Others: v[7], Batches: v[8],
		FirstSeq: uint64(v[9]), LastSeq: uint64(v[10]), FirstTime: v[11], LastTime: v[12], PutBytes: v[13],
		FileSize: r.Size, SHA256: [32]byte(b[digestAt:]),
	}, v, nil
}

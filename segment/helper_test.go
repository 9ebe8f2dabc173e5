package segment

import "hash/crc32"

// crcAt is the CRC of b as it stands at an offset.
func crcAt(p ChecksumSeed, off int64, b []byte) uint32 { return crc32.Update(p.at(off), castagnoli, b) }

// fixRecord gives the record at the beginning of b, which stands at offset off,
// both of its CRCs, as far as it lies in b.
func fixRecord(b []byte, p ChecksumSeed, off int64) {
	head, value, err := HeadSize(b)
	if err != nil || head > int64(len(b)) {
		return
	}
	if head+value <= int64(len(b)) {
		le.PutUint32(b[4:], crcAt(p, off, b[head:head+value]))
	}
	le.PutUint32(b, crcAt(p, off, b[4:head]))
}

// asVersion makes a sealed file one of newer formats, as if those had the same
// fields: the checksums are over the version, too.
func asVersion(b []byte, header, footer uint16) []byte {
	if header != Version {
		n := le.Uint32(b[12:])
		le.PutUint16(b[8:], header)
		le.PutUint32(b[n-crcSize:], crc32.Checksum(b[:n-crcSize], castagnoli))
	}
	if footer != Version {
		end := b[len(b)-trailerSize:]
		le.PutUint16(end[trailerCRC+crcSize:], footer)
		le.PutUint32(end[trailerCRC:], crc32.Checksum(end[:trailerCRC], castagnoli)^uint32(footer))
	}
	return b
}

// recordSize is what AppendRecord has to append for r, added up from its fields.
func recordSize(p ChecksumSeed, r *Record) int64 {
	n := recordFixed + len(r.Key) + len(r.Meta) + len(r.Slots) + len(r.Value)
	if (r.Seq-p.First)>>32 != 0 {
		n += wideSize
	}
	if r.Flags&FlagCommit != 0 {
		n += timeSize
	}
	if r.Flags&FlagVouch != 0 {
		n += vouchSize
	}
	if r.Expiry != 0 {
		n += expirySize
	}
	if len(r.Meta) > 0 {
		n += lengthSize
	}
	if len(r.Slots) > 0 {
		n += lengthSize
	}
	return int64(n)
}

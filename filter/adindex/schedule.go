package adindex

import "encoding/binary"

// scheduleRecord is a schedule as it is stored.
type scheduleRecord struct {
	clock   Clock
	list    uint32
	base    int64
	minutes uint32
	after   ScheduleRef
}

func (s scheduleRecord) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(s.clock))
	dst = binary.LittleEndian.AppendUint32(dst, s.list)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.base))
	dst = binary.LittleEndian.AppendUint32(dst, s.minutes)
	return binary.LittleEndian.AppendUint32(dst, uint32(s.after))
}

func readSchedule(b []byte) scheduleRecord {
	b = b[:scheduleSize]
	return scheduleRecord{
		clock:   Clock(word(b, 0)),
		list:    word(b, 1),
		base:    int64(binary.LittleEndian.Uint64(b[8:])),
		minutes: word(b, 4),
		after:   ScheduleRef(word(b, 5)),
	}
}

package adindex

// ScheduleRef numbers a schedule of one index, in order of adding.
type ScheduleRef uint32

// scheduleRecord is a schedule as it is stored.
type scheduleRecord struct {
	clock   Clock
	list    uint32
	base    int64
	minutes uint32
	after   ScheduleRef
}

func readSchedule(b []byte) scheduleRecord {
	b = b[:scheduleSize]
	return scheduleRecord{
		clock:   Clock(word(b, 0)),
		list:    word(b, 1),
		base:    int64(long(b[8:])),
		minutes: word(b, 4),
		after:   ScheduleRef(word(b, 5)),
	}
}

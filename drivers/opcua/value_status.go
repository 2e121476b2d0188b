package opcua

import (
	"fmt"
	"strings"

	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Fields of a status code (OPC 10000-4, 7.38.1; the historian's bits OPC
// 10000-11, 6.3).
const (
	severityShift    = 30         // two top bits: good, uncertain, bad, and one that is not used
	subCodeMask      = 0xFFFF0000 // severity and what exactly
	structureChanged = 1 << 15
	semanticsChanged = 1 << 14
	infoTypeMask     = 3 << 10
	infoDataValue    = 1 << 10 // the info bits below belong to a data value
	limitMask        = 3 << 8
	limitLow         = 1 << 8
	limitHigh        = 2 << 8
	limitConstant    = 3 << 8
	overflow         = 1 << 7
	historianMask    = 3
	historianInter   = 2 // interpolated; 1 is calculated
	historianPartial = 1 << 2
)

// verdict is what a status code makes of a value.
type verdict struct {
	quality meter.Quality
	flags   meter.Flags
	detail  string
}

// judgeStatus maps a status code to our quality.
func judgeStatus(status ua.StatusCode) verdict {
	code, bits := ua.StatusCode(uint32(status)&subCodeMask), uint32(status)
	var v verdict
	switch bits >> severityShift {
	case 0:
		v = judgeGood(code)
	case 1:
		v = judgeUncertain(code)
	default: // 3 is reserved, and no promise that a value is any good
		return verdict{flags: badFlags(code), detail: code.Error()}
	}
	var also []string
	doubt := func(flags meter.Flags, why string) {
		v.flags |= flags
		v.quality = min(v.quality, meter.Uncertain)
		also = append(also, why)
	}
	if bits&structureChanged != 0 {
		doubt(0, "the structure of the value has changed; compare the profile with the server's address space")
	}
	if bits&semanticsChanged != 0 {
		doubt(0, "the meaning of the value has changed; compare the profile's unit and scale with the server's")
	}
	if bits&infoTypeMask == infoDataValue {
		switch bits & limitMask {
		case limitLow:
			doubt(meter.OutOfRange, "the value stands at its source's lower limit")
		case limitHigh:
			doubt(meter.OutOfRange, "the value stands at its source's upper limit")
		case limitConstant:
			doubt(meter.Frozen, "the source says that the value cannot change")
		}
		if bits&overflow != 0 {
			doubt(meter.Missing, "values before this one were lost in the server's full queue; raise the option "+optQueueSize)
		}
		if kind := bits & historianMask; kind != 0 {
			doubt(meter.Estimated, map[bool]string{true: "the server interpolated the value", false: "the server calculated the value"}[kind == historianInter])
		}
		if bits&historianPartial != 0 {
			doubt(meter.Estimated, "the server calculated the value from part of an interval")
		}
	}
	if v.detail != "" {
		also = append([]string{v.detail}, also...)
	}
	v.detail = strings.Join(also, "; ")
	return v
}

// judgeGood maps the codes that are good but say that the value is not what
// was measured.
func judgeGood(code ua.StatusCode) verdict {
	v := verdict{quality: meter.Uncertain, detail: code.Error()}
	switch code {
	case ua.StatusGoodLocalOverride, ua.StatusGoodCascade, ua.StatusGoodFaultStateActive:
		v.flags = meter.Substituted
	case ua.StatusGoodClamped:
		v.flags = meter.OutOfRange
	case ua.StatusGoodEdited, ua.StatusGoodEntryReplaced, ua.StatusGoodEntryInserted,
		ua.StatusGoodEdited_DependentValueChanged, ua.StatusGoodEdited_DominantValueChanged, ua.StatusGoodEdited_DominantValueChanged_DependentValueChanged:
		v.flags = meter.Edited
	case ua.StatusGoodDependentValueChanged:
	default:
		return verdict{quality: meter.Good}
	}
	return v
}

func judgeUncertain(code ua.StatusCode) verdict {
	v := verdict{quality: meter.Uncertain, detail: code.Error()}
	switch code {
	case ua.StatusUncertainLastUsableValue:
		v.flags = meter.Stale
	case ua.StatusUncertainNoCommunicationLastUsableValue:
		v.flags = meter.Stale | meter.CommFailure
	case ua.StatusUncertainSubstituteValue, ua.StatusUncertainInitialValue, ua.StatusUncertainTransducerInManual:
		v.flags = meter.Substituted
	case ua.StatusUncertainSensorNotAccurate, ua.StatusUncertainEngineeringUnitsExceeded:
		v.flags = meter.OutOfRange
	case ua.StatusUncertainSubNormal, ua.StatusUncertainDataSubNormal:
		v.flags = meter.Estimated
	case ua.StatusUncertainSimulatedValue:
		v.flags = meter.Test
	}
	return v
}

// badFlags says why there is no value.
func badFlags(code ua.StatusCode) meter.Flags {
	switch code {
	case ua.StatusBadNoCommunication, ua.StatusBadDeviceFailure, ua.StatusBadNotConnected, ua.StatusBadCommunicationError,
		ua.StatusBadServerNotConnected, ua.StatusBadTimeout, ua.StatusBadConnectionClosed, ua.StatusBadConnectionRejected:
		return meter.CommFailure
	case ua.StatusBadOutOfRange:
		return meter.OutOfRange
	}
	return meter.Missing
}

// plain is a status code in words, without its info bits.
func plain(status ua.StatusCode) string {
	return fmt.Sprint(ua.StatusCode(uint32(status) & subCodeMask))
}

package probe

import (
	"context"
	"encoding/binary"

	"github.com/gridwarden/gridwarden/drivers/profile"
)

// SunSpec devices list their models in a chain: the marker "SunS", then for
// each model its number and its length, and the next model behind it. The
// chain begins at one of three places (SunSpec Information Model
// Specification).
const (
	sunsHigh, sunsLow = 0x5375, 0x6E53
	noModel           = 0xFFFF
	maxModels         = 24
)

// sunspec walks the chain of models, and adds the profiles of models that lie
// elsewhere than where their files say.
func (r *run) sunspec(ctx context.Context) error {
	byModel := make(map[uint16][]*profile.Profile)
	for _, p := range r.list {
		for i := range p.Modbus.Identity {
			if id := &p.Modbus.Identity[i]; id.Name == "model_code" && id.Encoding == profile.Uint16 && p.Modbus.Base > 0 && id.Address == p.Modbus.Base {
				for _, code := range id.Codes {
					byModel[uint16(code)] = append(byModel[uint16(code)], p)
				}
			}
		}
	}
	if len(byModel) == 0 {
		return nil
	}
	for _, base := range []uint16{40000, 0, 50000} {
		words, err := r.words(ctx, base, 2)
		if err != nil {
			return err
		}
		if len(words) == 2 && words[0] == sunsHigh && words[1] == sunsLow {
			return r.chain(ctx, base+2, byModel)
		}
	}
	return nil
}

func (r *run) chain(ctx context.Context, address uint16, byModel map[uint16][]*profile.Profile) error {
	var found []*profile.Profile
	for range maxModels {
		header, err := r.words(ctx, address, 2)
		if err != nil {
			return err
		}
		if len(header) != 2 || header[0] == noModel {
			break
		}
		for _, p := range byModel[header[0]] {
			if moved, err := p.Rebased(address); err == nil && moved != p {
				found = append(found, moved)
			}
		}
		next := int(address) + 2 + int(header[1])
		if next+2 > 1<<16 {
			break
		}
		address = uint16(next)
	}
	r.list = append(r.list, found...)
	return nil
}

// words reads registers, none where the device does not give them.
func (r *run) words(ctx context.Context, address, count uint16) ([]uint16, error) {
	b := profile.Block{Table: profile.Holding, Address: address, Count: count}
	if err := r.read(ctx, []profile.Block{b}); err != nil {
		return nil, err
	}
	a := r.w.known(&b)
	if a == nil || a.data == nil {
		return nil, nil
	}
	data := a.cut(&b)
	out := make([]uint16, len(data)/2)
	for i := range out {
		out[i] = binary.BigEndian.Uint16(data[2*i:])
	}
	return out, nil
}

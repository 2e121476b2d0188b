package mining

// Algorithm is a mining algorithm with machines that mark the range of
// efficiency in use.
type Algorithm struct {
	Code string // lower case, as in sdk.AttrListedAlgorithm
	Name string
	Unit string  // in which its hash rate is usually told, such as TH/s
	Per  float64 // hashes a second of one Unit

	Best    Machine // the most efficient in use
	Typical Machine
	Worst   Machine // the least efficient still in use

	Coins    []string // tickers of coins mined with it
	Synonyms []string // other names, compared without case and punctuation
}

// Machine is one model as its data sheet has it.
type Machine struct {
	Model    string
	HashRate float64 // H/s (graphs or solutions a second where the algorithm counts those)
	Watts    float64 // at the wall
	Source   string  // where the figures are from
}

// JoulesPerHash returns the energy that the machine needs for a hash.
func (m Machine) JoulesPerHash() float64 { return m.Watts / m.HashRate }

// Kinds of source.
const (
	sheet = "maker's data sheet"
	usual = "usual setting of miners, with 15 % for host and power supply"
)

// Prefixes of hash rates.
const (
	kilo = 1e3
	mega = 1e6
	giga = 1e9
	tera = 1e12
)

// Algorithms lists the algorithms that are known, by code.
func Algorithms() []Algorithm {
	return []Algorithm{
		{
			Code: "autolykos", Name: "Autolykos v2", Unit: "MH/s", Per: mega,
			Best: Machine{"GeForce RTX 3070", 170 * mega, 130, usual}, Typical: Machine{"GeForce RTX 3080", 220 * mega, 230, usual}, Worst: Machine{"Radeon RX 580", 65 * mega, 130, usual},
			Coins: []string{"ERG"}, Synonyms: []string{"autolykos2", "autolykosv2", "autolykos 2"},
		},
		{
			Code: "blake2s", Name: "Blake2S (Kadena)", Unit: "TH/s", Per: tera,
			Best: Machine{"Antminer KA3", 166 * tera, 3154, sheet}, Typical: Machine{"Goldshell KD6", 29.2 * tera, 2630, sheet}, Worst: Machine{"Goldshell KD-BOX", 1.6 * tera, 205, sheet},
			Coins: []string{"KDA"}, Synonyms: []string{"blake2skadena", "kadena"},
		},
		{
			Code: "blake3", Name: "Blake3 (Alephium)", Unit: "TH/s", Per: tera,
			Best: Machine{"Antminer AL1", 15.6 * tera, 3510, sheet}, Typical: Machine{"IceRiver AL0", 0.4 * tera, 100, sheet}, Worst: Machine{"Goldshell AL-BOX", 0.36 * tera, 180, sheet},
			Coins: []string{"ALPH"}, Synonyms: []string{"blake3alephium", "alephium"},
		},
		{
			Code: "cuckatoo", Name: "Cuckatoo32 (graphs)", Unit: "graph/s", Per: 1,
			Best: Machine{"iPollo G1", 36, 2800, sheet}, Typical: Machine{"iPollo G1 Mini", 1.2, 120, sheet}, Worst: Machine{"GeForce GTX 1080 Ti", 0.4, 230, usual},
			Coins: []string{"GRIN"}, Synonyms: []string{"cuckatoo32", "cuckatoo31", "cuckoocycle", "cuckoo"},
		},
		{
			Code: "eaglesong", Name: "Eaglesong", Unit: "TH/s", Per: tera,
			Best: Machine{"Antminer K7", 63.5 * tera, 3080, sheet}, Typical: Machine{"Goldshell CK6", 19.3 * tera, 3300, sheet}, Worst: Machine{"Goldshell CK-BOX", 1.05 * tera, 215, sheet},
			Coins: []string{"CKB"}, Synonyms: []string{"nervos"},
		},
		{
			Code: "equihash", Name: "Equihash 200,9 (solutions)", Unit: "kSol/s", Per: kilo,
			Best: Machine{"Antminer Z15 Pro", 840 * kilo, 2780, sheet}, Typical: Machine{"Antminer Z15", 420 * kilo, 1510, sheet}, Worst: Machine{"Antminer Z9 mini", 10 * kilo, 300, sheet},
			Coins: []string{"ZEC", "ZEN", "ARRR", "KMD"}, Synonyms: []string{"equihash2009", "equihash200"},
		},
		{
			Code: "ethash", Name: "Ethash and Etchash", Unit: "MH/s", Per: mega,
			Best: Machine{"Antminer E9 Pro", 3.68 * giga, 2200, sheet}, Typical: Machine{"GeForce RTX 3070", 61 * mega, 140, usual}, Worst: Machine{"Radeon RX 580", 30 * mega, 140, usual},
			Coins: []string{"ETC", "ETH", "ETHW", "QKC", "UBQ"}, Synonyms: []string{"etchash", "daggerhashimoto", "dagger", "ethashb3"},
		},
		{
			Code: "kawpow", Name: "KawPow and ProgPow", Unit: "MH/s", Per: mega,
			Best: Machine{"GeForce RTX 4070", 31 * mega, 130, usual}, Typical: Machine{"GeForce RTX 3080", 45 * mega, 255, usual}, Worst: Machine{"Radeon RX 580", 12 * mega, 140, usual},
			Coins: []string{"RVN", "CLORE", "NEOX", "MEWC", "EVR"}, Synonyms: []string{"progpow", "evrprogpow", "firopow", "meowpow"},
		},
		{
			Code: "kheavyhash", Name: "kHeavyHash", Unit: "TH/s", Per: tera,
			Best: Machine{"Antminer KS5 Pro", 21 * tera, 3150, sheet}, Typical: Machine{"Antminer KS3", 9.4 * tera, 3500, sheet}, Worst: Machine{"IceRiver KS1", 1 * tera, 600, sheet},
			Coins: []string{"KAS"}, Synonyms: []string{"heavyhash", "kaspa"},
		},
		{
			Code: "randomx", Name: "RandomX", Unit: "kH/s", Per: kilo,
			Best: Machine{"Antminer X5", 212 * kilo, 1350, sheet}, Typical: Machine{"Ryzen 9 5950X", 17 * kilo, 180, usual}, Worst: Machine{"desktop processors of 2016 with four cores", 2.2 * kilo, 95, usual},
			Coins: []string{"XMR", "ZEPH"}, Synonyms: []string{"randomxmonero", "rx0", "rx", "monero"},
		},
		{
			Code: "scrypt", Name: "Scrypt", Unit: "GH/s", Per: giga,
			Best: Machine{"Antminer L9", 16 * giga, 3360, sheet}, Typical: Machine{"Antminer L7", 9.5 * giga, 3425, sheet}, Worst: Machine{"Antminer L3+", 504 * mega, 800, sheet},
			Coins: []string{"LTC", "DOGE", "BEL"}, Synonyms: []string{"scryptn", "litecoin"},
		},
		{
			Code: "sha256", Name: "SHA-256", Unit: "TH/s", Per: tera,
			Best: Machine{"Antminer S21 XP", 270 * tera, 3645, sheet}, Typical: Machine{"Antminer S19j Pro", 100 * tera, 3050, sheet}, Worst: Machine{"Antminer S9", 13.5 * tera, 1323, sheet},
			Coins: []string{"BTC", "BCH", "BSV", "FB", "XEC"}, Synonyms: []string{"sha256d", "sha256asicboost", "bitcoin", "sha2"},
		},
		{
			Code: "x11", Name: "X11", Unit: "GH/s", Per: giga,
			Best: Machine{"Antminer D9", 1770 * giga, 2839, sheet}, Typical: Machine{"Antminer D7", 1286 * giga, 3148, sheet}, Worst: Machine{"Antminer D5", 119 * giga, 1566, sheet},
			Coins: []string{"DASH"}, Synonyms: []string{"dash"},
		},
		{
			Code: "zhash", Name: "Equihash 144,5 and 125,4 (solutions)", Unit: "Sol/s", Per: 1,
			Best: Machine{"GeForce RTX 3080", 120, 230, usual}, Typical: Machine{"GeForce GTX 1080 Ti", 62, 230, usual}, Worst: Machine{"GeForce GTX 1060", 22, 110, usual},
			Coins: []string{"BTG", "FLUX"}, Synonyms: []string{"equihash1445", "equihash144", "equihash1254", "zelhash"},
		},
	}
}

package historian

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxToken is the largest file that is taken for one that holds a token.
const maxToken = 16 << 10

// ReadToken reads the token from a file, or from an environment variable where
// no file is named; it is "" where neither is. A token is never an argument:
// others on the machine can see those.
func ReadToken(file, env string) (string, error) {
	if file != "" {
		return tokenFile(file)
	}
	if env == "" {
		return "", nil
	}
	token := strings.TrimSpace(os.Getenv(env))
	if token == "" {
		return "", fmt.Errorf("historian.token_env: the environment variable %s is empty; set it", env)
	}
	return token, checkToken("historian.token_env: "+env, token)
}

func tokenFile(file string) (_ string, err error) {
	f, err := os.Open(file) //nolint:gosec // the path comes from the configuration
	if err != nil {
		return "", fmt.Errorf("historian.token_file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("historian.token_file: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" || len(data) > maxToken {
		return "", fmt.Errorf("historian.token_file: %s holds no token; write the token, or user:password, into it as one line", file)
	}
	return token, checkToken("historian.token_file: "+file, token)
}

// checkToken refuses what no header can carry, without telling it.
func checkToken(where, token string) error {
	if strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%s has more than one line, or a control character; it should hold the token alone", where)
	}
	return nil
}

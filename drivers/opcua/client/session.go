package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uapolicy"
)

const nonceSize = 32 // least of a session's nonces (OPC 10000-4, 5.6.2)

// session creates and activates the session.
func (c *Client) session(ctx context.Context) error {
	nonce := make([]byte, nonceSize)
	if _, err := rand.Read(nonce); err != nil {
		return fmt.Errorf("make a nonce: %w", err)
	}
	res, err := Call[ua.CreateSessionResponse](ctx, c, &ua.CreateSessionRequest{
		ClientDescription: &ua.ApplicationDescription{
			ApplicationURI: c.cfg.ApplicationURI, ApplicationName: ua.NewLocalizedText(c.cfg.ApplicationName), ApplicationType: ua.ApplicationTypeClient,
		},
		EndpointURL: c.cfg.URL, SessionName: c.cfg.ApplicationName, ClientNonce: nonce, ClientCertificate: c.cfg.Certificate,
		RequestedSessionTimeout: float64(c.cfg.SessionTimeout.Milliseconds()), MaxResponseMessageSize: messageSize,
	})
	if err != nil {
		return fmt.Errorf("create a session: %w", err)
	}
	if !c.cfg.insecure() {
		if _, leaf, err := publicKey(res.ServerCertificate); err != nil || !bytes.Equal(leaf, c.serverLeaf) {
			return insecure("the session shows another certificate than the channel")
		}
		if len(res.ServerNonce) < nonceSize {
			return insecure("the server's nonce has %d bytes; at least %d are needed", len(res.ServerNonce), nonceSize)
		}
		if err := c.asymmetric.VerifySignature(bytes.Join([][]byte{c.cfg.Certificate, nonce}, nil), res.ServerSignature.Signature); err != nil {
			return insecure("the server does not prove that it holds the key of its certificate: %v", err)
		}
	}
	c.endpoints, c.auth = res.ServerEndpoints, res.AuthenticationToken
	c.revised = time.Duration(res.RevisedSessionTimeout) * time.Millisecond
	if c.cfg.Accept != nil {
		if err := c.cfg.Accept(res.ServerEndpoints); err != nil {
			return err
		}
	}
	identity, proof, err := c.identity(res)
	if err != nil {
		c.auth = nil
		return err
	}
	signature := &ua.SignatureData{}
	if !c.cfg.insecure() {
		// Of a chain, the server's own certificate is signed over.
		sum, err := c.asymmetric.Signature(bytes.Join([][]byte{c.serverLeaf, res.ServerNonce}, nil))
		if err != nil {
			return fmt.Errorf("sign the session: %w", err)
		}
		signature = &ua.SignatureData{Algorithm: c.asymmetric.SignatureURI(), Signature: sum}
	}
	_, err = Call[ua.ActivateSessionResponse](ctx, c, &ua.ActivateSessionRequest{
		ClientSignature: signature, UserIdentityToken: ua.NewExtensionObject(identity), UserTokenSignature: proof,
	})
	if err != nil {
		return fmt.Errorf("activate the session: %w", err)
	}
	return nil
}

// identity makes the user's token and, for a certificate, the proof of its key.
func (c *Client) identity(res *ua.CreateSessionResponse) (any, *ua.SignatureData, error) {
	t := c.cfg.Token
	policy := t.PolicyURI
	if policy == "" {
		policy = c.cfg.PolicyURI
	}
	if t.PolicyID == "" {
		t.PolicyID = policyID(res.ServerEndpoints, &c.cfg)
	}
	none := &ua.SignatureData{}
	switch t.Kind {
	case ua.UserTokenTypeAnonymous:
		return &ua.AnonymousIdentityToken{PolicyID: t.PolicyID}, none, nil
	case ua.UserTokenTypeUserName:
		token := &ua.UserNameIdentityToken{PolicyID: t.PolicyID, UserName: t.User}
		if policy == ua.SecurityPolicyURINone {
			if c.cfg.insecure() || !c.cfg.encrypted() {
				return nil, nil, errors.New("the password would go readable over the network; encrypt the channel, or choose a token policy that encrypts")
			}
			token.Password = []byte(t.Password)
			return token, none, nil
		}
		key, _, err := publicKey(res.ServerCertificate)
		if err != nil {
			return nil, nil, err
		}
		algo, err := uapolicy.Asymmetric(policy, nil, key)
		if err != nil {
			return nil, nil, fmt.Errorf("protect the password: %w", err)
		}
		secret := binary.LittleEndian.AppendUint32(nil, uint32(len(t.Password)+len(res.ServerNonce)))
		secret = append(append(secret, t.Password...), res.ServerNonce...)
		sealed, err := algo.Encrypt(secret)
		if err != nil {
			return nil, nil, fmt.Errorf("protect the password: %w", err)
		}
		token.Password, token.EncryptionAlgorithm = sealed, algo.EncryptionURI()
		return token, none, nil
	case ua.UserTokenTypeCertificate:
		key, leaf, err := publicKey(res.ServerCertificate)
		if err != nil {
			return nil, nil, err
		}
		algo, err := uapolicy.Asymmetric(policy, t.Key, key)
		if err != nil {
			return nil, nil, fmt.Errorf("sign as the user: %w", err)
		}
		sum, err := algo.Signature(bytes.Join([][]byte{leaf, res.ServerNonce}, nil))
		if err != nil {
			return nil, nil, fmt.Errorf("sign as the user: %w", err)
		}
		return &ua.X509IdentityToken{PolicyID: t.PolicyID, CertificateData: t.Certificate}, &ua.SignatureData{Algorithm: algo.SignatureURI(), Signature: sum}, nil
	}
	return nil, nil, fmt.Errorf("a user token of type %v is not supported", t.Kind)
}

// policyID finds what the server calls the policy of our kind of token.
func policyID(endpoints []*ua.EndpointDescription, cfg *Config) string {
	for _, e := range endpoints {
		if e == nil || e.SecurityMode != cfg.Mode || e.SecurityPolicyURI != cfg.PolicyURI {
			continue
		}
		for _, t := range e.UserIdentityTokens {
			if t != nil && t.TokenType == cfg.Token.Kind {
				return t.PolicyID
			}
		}
	}
	return "Anonymous"
}

// readNamespaces reads the server's list of namespaces.
func (c *Client) readNamespaces(ctx context.Context) error {
	values, err := c.Read(ctx, []*ua.ReadValueID{Value(ua.NewNumericNodeID(0, id.Server_NamespaceArray))})
	if err != nil {
		return fmt.Errorf("read the server's namespaces: %w", err)
	}
	list, ok := values[0].Value.Value().([]string)
	if !ok {
		return malformed("a list of namespaces that is a %T (%v)", values[0].Value.Value(), values[0].Status)
	}
	c.namespaces = list
	return nil
}

// Value names the value of a node.
func Value(node *ua.NodeID) *ua.ReadValueID {
	return &ua.ReadValueID{NodeID: node, AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}}
}

// Read reads attributes in one request; the values come in the order asked.
func (c *Client) Read(ctx context.Context, ask []*ua.ReadValueID) ([]*ua.DataValue, error) {
	res, err := Call[ua.ReadResponse](ctx, c, &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnBoth, NodesToRead: ask})
	if err != nil {
		return nil, err
	}
	if len(res.Results) != len(ask) {
		err := malformed("%d values came for %d nodes", len(res.Results), len(ask))
		c.fail(err)
		return nil, err
	}
	return res.Results, nil
}

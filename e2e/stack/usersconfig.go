package stack

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"adsidecar/envoy/gateway"
)

// usersReady bounds the time until a started user service has its store and has reached the user pool.
const usersReady = 30 * time.Second

// AccessKey is the access key's ID and the secret, of no account: moto takes any.
const AccessKey = "local"

// AWSEnvironment is the environment, KEY=VALUE, in which Go's AWS SDK talks to moto and to nothing else: credentials of no
// account, and none of what a developer has set up for real ones.
var AWSEnvironment = []string{
	"AWS_ACCESS_KEY_ID=" + AccessKey, "AWS_SECRET_ACCESS_KEY=" + AccessKey, "AWS_SESSION_TOKEN=", "AWS_PROFILE=",
	"AWS_REGION=" + Region, "AWS_DEFAULT_REGION=" + Region,
	"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
	"AWS_EC2_METADATA_DISABLED=true",
	// The SDK prefers these to the endpoint that a program gives, and with the last one ignores that too.
	"AWS_ENDPOINT_URL=", "AWS_ENDPOINT_URL_DYNAMODB=", "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER=", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=",
}

// The name of the app client with a secret, and of the table where a stack has its own moto.
const (
	UsersClientName = "users"
	usersTable      = "unouserdb"
)

// makeUsersClient makes the app client that the user service signs in with, and the file that has its secret.
func (s *Stack) makeUsersClient(ctx context.Context) error {
	id, secret, err := s.Pool.SecretClient(ctx, UsersClientName)
	if err != nil {
		return err
	}
	s.UsersClientID, s.secretFile = id, filepath.Join(s.Dir, "users-client-secret")
	if err := ReplaceFile(s.secretFile, []byte(secret+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the app client's secret: %w", err)
	}
	return nil
}

// reserveUsers lists the processes of the user service, so that all configurations know where they will be.
func (s *Stack) reserveUsers() error {
	o := s.opts.Users
	if o == nil {
		return nil
	}
	if err := o.check(s.opts.NoMoto, s.opts.GatewayFile != ""); err != nil {
		return err
	}
	if o.Store == DynamoDB {
		switch {
		case o.Table != "":
			s.UsersTable = o.Table
		case s.opts.Moto != nil:
			s.UsersTable = usersTable + "-" + strings.ToLower(rand.Text()[:8])
		default:
			s.UsersTable = usersTable
		}
	}
	serve := o.Serve
	if len(serve) == 0 {
		serve = make([][]gateway.Endpoint, max(o.Replicas, 1))
	}
	given := s.opts.Ports.Users
	for _, endpoints := range serve {
		if _, err := s.reserveUser(given, endpoints); err != nil {
			return err
		}
		given = 0
	}
	return nil
}

// startUsers makes the tables, if there are to be any, and starts the processes. It returns when they are ready: an Envoy that starts
// earlier would have found them unhealthy, and looks again an interval later.
func (s *Stack) startUsers(ctx context.Context) error {
	for i, u := range s.AllUsers() {
		if err := s.configureUser(u); err != nil {
			return err
		}
		if i == 0 && s.opts.Users.Store == DynamoDB {
			s.opts.Progress("tables in DynamoDB (moto)")
			if err := u.makeTables(ctx); err != nil {
				return err
			}
		}
		if s.opts.Users.NoStart {
			continue
		}
		s.opts.Progress("user service")
		if err := u.Start(ctx); err != nil {
			return err
		}
		ready, cancel := context.WithTimeout(ctx, usersReady)
		err := u.WaitReady(ready)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// configureUser writes the gateway's file of the process, which has its own address, and sets its environment.
func (s *Stack) configureUser(u *Users) error {
	u.env = append(append([]string{}, s.opts.Env...), AWSEnvironment...)
	if s.config != "" {
		u.ConfigFile = s.config
		return nil
	}
	u.ConfigFile = filepath.Join(s.Dir, u.Name+".yaml")
	c := s.ControlPlane()
	return s.gatewayFile(u.ConfigFile, addresses{
		listener: s.listener, envoyAdmin: s.envoyAdmin, xds: c.XDSAddress, admin: hostPort(c.URL), users: hostPort(u.URL),
	}, c.StateDir)
}

// makeTables runs `adsidecar-users init`.
func (u *Users) makeTables(ctx context.Context) error {
	out, err := runToEnd(ctx, Command{
		Name: u.Name + " init", Path: u.programs.AdsidecarUsers, Args: []string{"init", "--config", u.ConfigFile}, Env: u.env, LogFile: u.LogFile,
	})
	if err != nil {
		return fmt.Errorf("adsidecar-users init: %w\n%s", err, lastLines(out, tailLines))
	}
	return nil
}

// usersSection is the gateway's users for the process at address, or for Envoys and control planes where that is empty.
func (s *Stack) usersSection(own string) map[string]any {
	connect, each := []string{}, map[string]any{}
	for _, u := range s.AllUsers() {
		at := hostPort(u.URL)
		connect = append(connect, at)
		for _, e := range u.Serve {
			list, _ := each[string(e)].([]string) // nil for the first
			each[string(e)] = append(list, at)
		}
	}
	if own == "" {
		own = connect[0]
	}
	section := map[string]any{
		"address": own, "connect": connect,
		"sign_in_rate": map[string]any{"requests": 100_000, "per": "1s"}, // tests sign in from one address, as often as they like
		"store":        s.usersStore(),
	}
	if len(each) > 0 {
		section["connect_each"] = each
	}
	if s.opts.Users.Access != "" {
		section["access"] = s.opts.Users.Access
	}
	if s.Pool != nil {
		section["cognito"] = map[string]any{
			"issuer": s.Pool.Issuer, "client_id": s.UsersClientID, "client_secret_file": s.secretFile, "endpoint": s.Moto.Endpoint,
		}
	}
	return section
}

func (s *Stack) usersStore() map[string]any {
	if s.opts.Users.Store == DynamoDB {
		return map[string]any{"dynamodb": map[string]any{"table": s.UsersTable, "region": Region, "endpoint": s.Moto.Endpoint}}
	}
	return map[string]any{"file": s.UsersFile()}
}

// UsersFile is the embedded store.
func (s *Stack) UsersFile() string { return filepath.Join(s.Dir, "users.db") }

// usersVariables are what a GatewayFile may refer to.
func (s *Stack) usersVariables() []string {
	u := s.Users()
	if u == nil {
		return nil
	}
	v := []string{"USERS_PORT=" + portOf(hostPort(u.URL)), "USERS_FILE=" + s.UsersFile()}
	if s.Pool != nil {
		v = append(v, "COGNITO_ENDPOINT="+s.Moto.Endpoint, "USERS_CLIENT_ID="+s.UsersClientID, "USERS_CLIENT_SECRET_FILE="+s.secretFile)
	}
	return v
}

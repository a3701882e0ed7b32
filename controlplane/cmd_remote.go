package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"adsidecar/controlplane/client"
	"adsidecar/envoy/gateway"
	"adsidecar/internal/program"
)

// The environment of the commands that ask a control plane.
const (
	serverVariable = "ADSIDECAR_SERVER"
	tokenVariable  = "ADSIDECAR_TOKEN" // read where no --token-file is given; a token on the command line could be seen by every user of the machine
)

// maxTokenBytes bounds the file of --token-file; a token of a user pool has one or two thousand bytes.
const maxTokenBytes = 16 << 10

const (
	outputTable = "table"
	outputJSON  = "json"
)

// remoteHelp ends the help of every command that asks a control plane.
const remoteHelp = "\n\nThe control plane is that of --server, else of ADSIDECAR_SERVER, else of admin in the configuration. The token is that of\n" +
	"--token-file, else of ADSIDECAR_TOKEN; a loopback address may need none.\n" +
	"Exit code: 0 done, 1 refused or failed, 2 wrong command line, 3 conflict: somebody else was faster, or what is there does not\n" +
	"allow the change. Look at it, and decide anew."

// remote is how a control plane is reached, by flags, environment and configuration.
type remote struct {
	load func() (*gateway.Config, error)

	server, tokenFile, caFile, output, comment string
	insecure, verbose                          bool
	timeout                                    time.Duration
}

// session is one command's use of a control plane.
type session struct {
	*client.Client
	in      io.Reader
	out     io.Writer
	err     io.Writer
	json    bool
	verbose bool
	comment string
	// patience is how long a command that has done its work waits to learn what is published, or until what it decided is.
	patience time.Duration
	// stored says that the command has changed campaigns; told that it has said itself, or what it is for says, what is published.
	stored, told bool
}

// command makes cmd one that asks a control plane. Each command has a remote of its own.
func (r remote) command(cmd *cobra.Command, run func(ctx context.Context, s *session, args []string) error) *cobra.Command {
	cmd.Long = cmp.Or(cmd.Long, cmd.Short) + remoteHelp
	r.connection(cmd)
	if r.output = outputTable; cmd.Annotations[raw] == "" {
		cmd.Flags().StringVarP(&r.output, "output", "o", outputTable, "table, for people, or json, as the API answers.")
	}
	if cmd.Annotations[verbose] != "" {
		cmd.Flags().BoolVarP(&r.verbose, "verbose", "v", false, "Say how far it is also where stderr is no terminal.")
	}
	if cmd.Annotations[changes] != "" {
		cmd.Flags().StringVar(&r.comment, "comment", "", cmp.Or(cmd.Annotations[commentHelp], "Why: it is kept with the change."))
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := r.session(cmd)
		if err != nil {
			return err
		}
		defer s.Close()
		err = failure(run(cmd.Context(), s, args))
		if err == nil || s.stored {
			s.tell(cmd.Context())
		}
		if conflicted(err) {
			return program.ExitWith(exitConflict, err)
		}
		return err
	}
	return cmd
}

// change is command for one that changes something.
func (r remote) change(cmd *cobra.Command, run func(ctx context.Context, s *session, args []string) error) *cobra.Command {
	mark(cmd, changes)
	return r.command(cmd, run)
}

// Marks of commands.
const (
	changes = "changes" // takes a comment
	// commentHelp is what becomes of the comment, where that is not the usual.
	commentHelp = "comment help"
	verbose     = "verbose" // can say how far it is
	raw         = "raw"     // prints the same for people and programs
)

func mark(cmd *cobra.Command, as string) {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[as] = "yes"
}

func (r *remote) connection(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.server, "server", "", "The control plane, such as https://ads.example.com:8443.")
	f.StringVar(&r.tokenFile, "token-file", "", "A file with the bearer token.")
	f.StringVar(&r.caFile, "ca-file", "", "Certificate authorities to trust, PEM (default: the system's).")
	f.BoolVar(&r.insecure, "insecure", false, "Send the token over plain HTTP beyond this machine.")
	f.DurationVar(&r.timeout, "timeout", 30*time.Second, "How long an answer may take; documents are given longer.")
}

func (r *remote) session(cmd *cobra.Command) (*session, error) {
	if err := r.checkOutput(); err != nil {
		return nil, err
	}
	c, err := r.connect()
	if err != nil {
		return nil, err
	}
	return &session{
		Client: c, in: cmd.InOrStdin(), out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), json: r.output == outputJSON, verbose: r.verbose,
		comment: r.comment, patience: publishedWithin,
	}, nil
}

func (r *remote) checkOutput() error {
	if r.output != outputTable && r.output != outputJSON {
		return program.Misused(fmt.Errorf("--output: %q is neither table nor json", r.output))
	}
	return nil
}

func (r *remote) connect() (*client.Client, error) {
	if r.timeout <= 0 {
		return nil, program.Misused(errors.New("--timeout: must be above 0"))
	}
	server := cmp.Or(r.server, os.Getenv(serverVariable))
	if server == "" {
		c, err := r.load()
		if err != nil {
			return nil, fmt.Errorf("no --server, no %s, and no configuration to take the address from: %w", serverVariable, err)
		}
		server = adminURL(&c.Admin)
	}
	token, err := r.token()
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{Server: server, Token: token, CAFile: r.caFile, Insecure: r.insecure, Timeout: r.timeout})
	if errors.Is(err, client.ErrPlainHTTP) {
		err = fmt.Errorf("%w, or --insecure where nobody else is on the network", err)
	}
	return c, err
}

func (r *remote) token() (string, error) {
	if r.tokenFile == "" {
		return strings.TrimSpace(os.Getenv(tokenVariable)), nil
	}
	f, err := os.Open(r.tokenFile)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxTokenBytes+1))
	switch token := strings.TrimSpace(string(text)); {
	case err != nil:
		return "", fmt.Errorf("--token-file: %w", err)
	case len(text) > maxTokenBytes:
		return "", fmt.Errorf("--token-file: %s is larger than %d bytes", r.tokenFile, maxTokenBytes)
	case token == "":
		return "", fmt.Errorf("--token-file: %s is empty", r.tokenFile)
	default:
		return token, nil
	}
}

// adminURL is where a control plane with this configuration is reached from its own machine. A certificate is for the name; without one
// the address says it as well.
func adminURL(a *gateway.Admin) string {
	host, port, err := net.SplitHostPort(a.Address)
	if err != nil {
		return a.Address // which a configuration that was loaded does not have
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	if a.TLS == nil {
		return "http://" + net.JoinHostPort(host, port)
	}
	return "https://" + net.JoinHostPort(cmp.Or(a.Name, host), port)
}

// word takes one argument, which is not empty.
func word(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return program.Misused(fmt.Errorf("%s takes %s, got %q\n\n%s", cmd.Name(), name, args, cmd.UsageString()))
		}
		return notEmpty(cmd, args)
	}
}

// ids takes one campaign or more.
func ids(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return program.Misused(fmt.Errorf("%s takes the ID of a campaign, or several\n\n%s", cmd.Name(), cmd.UsageString()))
	}
	return notEmpty(cmd, args)
}

func notEmpty(cmd *cobra.Command, args []string) error {
	for _, a := range args {
		if a == "" {
			return program.Misused(fmt.Errorf("%s: an argument is empty", cmd.Name()))
		}
	}
	return nil
}

// group is a command that only has others.
func group(cmd *cobra.Command, of ...*cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return program.Misused(fmt.Errorf("%s has no command %q\n\n%s", cmd.Name(), args[0], cmd.UsageString()))
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(of...)
	return cmd
}

// A small Python language host for the Pulumi engine: runs programs through
// pulumi-language-python-exec with the interpreter chosen in Pulumi.yaml.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/cmdutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/logging"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// showedMessage is the exit code by which pulumi-language-python-exec says it already told the user.
const showedMessage = 32

type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	engine string
}

func tools(i *pulumirpc.ProgramInfo) (toolchain.Toolchain, error) {
	o := toolchain.PythonOptions{Root: i.GetRootDirectory(), ProgramDir: i.GetProgramDirectory()}
	m := i.GetOptions().AsMap()
	if v, ok := m["virtualenv"].(string); ok {
		o.Virtualenv = v
	}
	switch m["toolchain"] {
	case nil, "pip":
	case "poetry":
		o.Toolchain = toolchain.Poetry
	case "uv":
		o.Toolchain = toolchain.Uv
	default:
		return nil, fmt.Errorf("unknown toolchain %v", m["toolchain"])
	}
	return toolchain.ResolveToolchain(o)
}

func (h *host) Handshake(_ context.Context, r *pulumirpc.LanguageHandshakeRequest) (*pulumirpc.LanguageHandshakeResponse, error) {
	h.engine = r.EngineAddress
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version.Version}, nil
}

// Plugins are found on PATH; nothing is ever acquired for a program.
func (h *host) GetRequiredPackages(context.Context, *pulumirpc.GetRequiredPackagesRequest) (*pulumirpc.GetRequiredPackagesResponse, error) {
	return &pulumirpc.GetRequiredPackagesResponse{}, nil
}

func (h *host) Run(ctx context.Context, r *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	tc, err := tools(r.Info)
	if err != nil {
		return nil, err
	}
	if r.Config == nil { // a stack without configuration: pulumi-language-python-exec wants {}, not null
		r.Config = map[string]string{}
	}
	config, err := json.Marshal(r.Config)
	if err != nil {
		return nil, err
	}
	secretKeys, err := json.Marshal(r.ConfigSecretKeys)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"-u", filepath.Join(filepath.Dir(self), "pulumi-language-python-exec"),
		"--monitor", r.MonitorAddress, "--engine", h.engine, "--project", r.Project, "--stack", r.Stack,
		"--parallel", strconv.Itoa(int(r.Parallel)), "--dry_run", strconv.FormatBool(r.DryRun),
		"--organization", r.Organization, "--root_directory", r.Info.GetRootDirectory(),
		"--pwd", r.Info.GetProgramDirectory(), r.Info.GetEntryPoint()}
	cmd, err := tc.Command(ctx, append(args, r.Args...)...)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(cmd.Environ(), "PULUMI_CONFIG="+string(config), "PULUMI_CONFIG_SECRET_KEYS="+string(secretKeys))
	if err := cmd.Run(); err != nil {
		var ee *exec.ExitError
		if !errors.As(err, &ee) {
			return &pulumirpc.RunResponse{Error: err.Error()}, nil
		}
		if ee.ExitCode() == showedMessage {
			return &pulumirpc.RunResponse{Bail: true}, nil
		}
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("program exited with code %d", ee.ExitCode())}, nil
	}
	return &pulumirpc.RunResponse{}, nil
}

func (h *host) About(ctx context.Context, r *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	tc, err := tools(r.Info)
	if err != nil {
		return nil, err
	}
	i, err := tc.About(ctx)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.AboutResponse{Executable: i.PythonExecutable, Version: i.PythonVersion.String()}, nil
}

func (h *host) GetProgramDependencies(ctx context.Context, r *pulumirpc.GetProgramDependenciesRequest) (*pulumirpc.GetProgramDependenciesResponse, error) {
	tc, err := tools(r.Info)
	if err != nil {
		return nil, err
	}
	pkgs, err := tc.ListPackages(ctx, r.TransitiveDependencies)
	if err != nil {
		return nil, err
	}
	out := &pulumirpc.GetProgramDependenciesResponse{}
	for _, p := range pkgs {
		out.Dependencies = append(out.Dependencies, &pulumirpc.DependencyInfo{Name: p.Name, Version: p.Version})
	}
	return out, nil
}

func (h *host) InstallDependencies(r *pulumirpc.InstallDependenciesRequest, s pulumirpc.LanguageRuntime_InstallDependenciesServer) error {
	tc, err := tools(r.Info)
	if err != nil {
		return err
	}
	closer, stdout, stderr, err := rpcutil.MakeInstallDependenciesStreams(s, r.IsTerminal)
	if err != nil {
		return err
	}
	defer closer.Close()
	return tc.InstallDependencies(s.Context(), r.Info.ProgramDirectory, r.UseLanguageVersionTools, true, stdout, stderr)
}

// RunPlugin runs a provider written in Python (a folder with PulumiPlugin.yaml).
func (h *host) RunPlugin(r *pulumirpc.RunPluginRequest, s pulumirpc.LanguageRuntime_RunPluginServer) error {
	tc, err := tools(r.Info)
	if err != nil {
		return err
	}
	closer, stdout, stderr, err := rpcutil.MakeRunPluginStreams(s, false)
	if err != nil {
		return err
	}
	defer closer.Close()
	cmd, err := tc.Command(s.Context(), append([]string{r.Info.ProgramDirectory}, r.Args...)...)
	if err != nil {
		return err
	}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = r.Pwd, append(cmd.Environ(), r.Env...), stdout, stderr
	code := 0
	if err := cmd.Run(); err != nil {
		var ee *exec.ExitError
		if !errors.As(err, &ee) {
			return err
		}
		code = ee.ExitCode()
		if w, ok := ee.Sys().(syscall.WaitStatus); ok && w.Signaled() {
			return err
		}
	}
	return s.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(code)}})
}

func main() {
	flag.String("root", "", "project root")
	flag.String("tracing", "", "unused")
	flag.Parse()
	logging.InitLogging(false, 0, false)
	h := &host{engine: flag.Arg(0)}
	cancel := make(chan bool)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if h.engine != "" {
		if err := rpcutil.Healthcheck(ctx, h.engine, 2*time.Second, func() { close(cancel) }); err != nil {
			cmdutil.Exit(err)
		}
	}
	srv, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{Cancel: cancel, Init: func(s *grpc.Server) error {
		pulumirpc.RegisterLanguageRuntimeServer(s, h)
		return nil
	}})
	if err != nil {
		cmdutil.Exit(err)
	}
	fmt.Printf("%d\n", srv.Port)
	if err := <-srv.Done; err != nil && !errors.Is(err, io.EOF) {
		cmdutil.Exit(err)
	}
}

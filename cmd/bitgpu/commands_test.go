package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestCommandsAreDocumented wants of every command what the reference and the manual are made of.
func TestCommandsAreDocumented(t *testing.T) {
	for cmd := range commands(newRoot(&app{})) {
		name := cmd.CommandPath()
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") || cmd.Short[0] < 'A' || cmd.Short[0] > 'Z' {
			t.Errorf("%s: Short is %q, want a sentence without its full stop", name, cmd.Short)
		}
		if cmd.HasParent() && !strings.HasSuffix(cmd.Long, ".") && !strings.Contains(cmd.Long, "\n ") {
			t.Errorf("%s: Long is %q, want sentences", name, cmd.Long)
		}
		if cmd.Long == cmd.Short || len(cmd.Long) < 60 {
			t.Errorf("%s has no Long text", name)
		}
		for line := range strings.Lines(cmd.Long) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 120 {
				t.Errorf("%s: a line of Long has %d characters: %s", name, n, line)
			}
		}
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			if !strings.HasPrefix(line, "  ") || !strings.Contains(line, "bitgpu ") {
				t.Errorf("%s: a line of Example is %q, want \"  bitgpu ...\"", name, line)
			}
		}
		if !strings.Contains(cmd.Example, name) {
			t.Errorf("%s is not in its Example", name)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && (len(f.Usage) < 5 || strings.HasSuffix(f.Usage, ".")) {
				t.Errorf("%s --%s: help is %q, want words without a full stop", name, f.Name, f.Usage)
			}
		})
		if cmd != cmd.Root() && (cmd.PersistentPreRun != nil || cmd.PersistentPreRunE != nil) {
			t.Errorf("%s has a PersistentPreRun, which hides the one that reads the config file", name)
		}
	}
}

// TestVariablesAreFree wants no flag whose variable means something else.
func TestVariablesAreFree(t *testing.T) {
	taken := []string{"BITGPU_MODELS", "BITGPU_VULKAN", "BITGPU_CONFIG"}
	seen := map[string]string{}
	for cmd := range commands(newRoot(&app{})) {
		for _, flag := range presettable(cmd) {
			own, all := variables(cmd, flag)
			for _, v := range []string{own, all} {
				if slices.Contains(taken, v) {
					t.Errorf("%s --%s: %s has another meaning", cmd.CommandPath(), flag, v)
				}
			}
			if before, ok := seen[own]; ok && cmd.HasParent() {
				t.Errorf("%s stands for %s and for %s --%s", own, before, cmd.CommandPath(), flag)
			}
			seen[own] = cmd.CommandPath() + " --" + flag
		}
	}
}

// TestSameFlagSameMeaning wants flags of one name to look the same in all commands: in their letter and kind.
func TestSameFlagSameMeaning(t *testing.T) {
	type look struct{ short, kind, command string }
	seen := map[string]look{}
	for cmd := range commands(newRoot(&app{})) {
		cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			l := look{f.Shorthand, f.Value.Type(), cmd.CommandPath()}
			// bench takes lists where others take one.
			if before, ok := seen[f.Name]; ok && (before.short != l.short || (before.kind == "bool") != (l.kind == "bool")) {
				t.Errorf("--%s is %+v and %+v", f.Name, before, l)
			}
			seen[f.Name] = l
		})
	}
}

func TestSuggestions(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"rum a.png", `unknown command "rum" for "bitgpu"; did you mean run?`},
		{"bench comapre", `unknown command "comapre" for "bitgpu bench"; did you mean compare?`},
		{"run --topkk 3 a.png", "unknown flag: --topkk; did you mean --topk?"},
		{"run -model demo a.png", "did you mean --model?"},
		{"run --zzzzzzzz a.png", "unknown flag: --zzzzzzzz\n"},
		{"config bnech", `bitgpu has no command "bnech"; did you mean bench?`},
		{"config bench compere", `bitgpu bench has no command "compere"; did you mean compare?`},
	} {
		args := strings.Fields(test.args)
		wants(t, bitgpuRun(t, exitUsage, args...).stderr, test.want)
	}
}

// TestModelSuggestions names what was probably meant.
func TestModelSuggestions(t *testing.T) {
	for wrong, want := range map[string][]string{
		"dem":               {"demo"},
		"resnetv2_50x1_bti": {"resnetv2_50x1_bit"},
		"ResNetV2_152x2_bit.goog_teacher_in21k_ft_in1k_38": {"resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k_384"},
		"vit_large": nil,
	} {
		if got := nearest(wrong, modelNames()); !slices.Equal(got[:min(len(got), 1)], want) {
			t.Errorf("%s: %v, want %v", wrong, got, want)
		}
	}
	dir := t.TempDir()
	out := run{args: []string{"run", "--model", "dmeo", cat}, env: []string{"BITGPU_MODELS=" + dir, "HF_HUB_OFFLINE=1"}}.do(t)
	out.exited(t, exitOpen, nil)
	wants(t, out.stderr, "Did you mean demo?")
}

// TestCompletion asks as shells do.
func TestCompletion(t *testing.T) {
	for _, test := range []struct {
		args      []string
		want      []string
		directive string
	}{
		{[]string{"ru"}, []string{"run\tClassify pictures"}, ":4"},
		{[]string{"run", "--precision", ""}, []string{"auto", "fp32", "fp16"}, ":4"},
		{[]string{"run", "--format", ""}, []string{"table", "json", "csv"}, ":"},
		{[]string{"run", "--model", "dem"}, []string{"demo"}, ":0"},
		{[]string{"plan", "resnetv2_50x1_bit.goog_d"}, []string{"resnetv2_50x1_bit.goog_distilled_in1k"}, ":0"},
		{[]string{"run", "--device", ""}, []string{"auto", "cpu", "0\t"}, ":4"},
		{[]string{"run", "--device", "0,"}, []string{"0,auto", "0,cpu"}, ":4"},
		{[]string{"bench", "--precision", "fp16,"}, []string{"fp16,fp32"}, ":4"},
		{[]string{"run", ""}, []string{"png", "jpg"}, ":8"},
		{[]string{"run", "--interpolation", ""}, []string{"bicubic", "bilinear"}, ":4"},
		{[]string{"features", "--png", ""}, nil, ":16"},
		{[]string{"features", "--format", ""}, []string{"auto", "npz"}, ":4"},
		{[]string{"config", "bench", ""}, []string{"compare"}, ":4"},
	} {
		out := bitgpuRun(t, exitOK, append([]string{cobra.ShellCompRequestCmd}, test.args...)...)
		for _, w := range append(test.want, test.directive) {
			if !strings.HasPrefix(out.stdout, w) && !strings.Contains(out.stdout, "\n"+w) {
				t.Errorf("%q: %q is not in\n%s", test.args, w, out.stdout)
			}
		}
	}
	for shell, want := range map[string]string{"bash": "__start_bitgpu", "zsh": "#compdef bitgpu", "fish": "complete -c bitgpu", "powershell": "Register-ArgumentCompleter"} {
		wants(t, bitgpuRun(t, exitOK, "completion", shell).stdout, want)
	}
	wants(t, bitgpuRun(t, exitUsage, "completion", "tcsh").stderr, `invalid argument "tcsh"`)
}

// TestManual has a page for every command, the same each time.
func TestManual(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man", "man1")
	bitgpuRun(t, exitOK, "man", dir)
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for cmd := range commands(newRoot(&app{})) {
		wants(t, read(strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"), ".TH", "NAME", "EXAMPLE", cmd.Short)
	}
	page := read("bitgpu-run.1")
	wants(t, page, `photos/**/*.jpg`, `{"file":"b.jpg","error":"..."}`, "precision")
	bitgpuRun(t, exitOK, "man", dir)
	if read("bitgpu-run.1") != page {
		t.Error("the second page is not the same")
	}
	wants(t, bitgpuRun(t, exitFailed, "man", cat).stderr, "not a directory")
}

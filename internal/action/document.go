package action

import "strings"

// unset says what holds where an input is not given; empty: nothing.
func (in Input) unset() string {
	switch {
	case in.Required:
		return "required"
	case in.Default != "":
		return in.Default
	case in.Unset != "":
		return in.Unset
	}
	return "none"
}

// Markdown is the reference of the inputs as a table.
func Markdown() string {
	var text strings.Builder
	text.WriteString("| input | kind | default | meaning |\n|---|---|---|---|\n")
	for _, in := range Table() {
		name := "`" + in.Name + "`"
		if in.Policy {
			name += " ¹"
		}
		text.WriteString("| " + strings.Join([]string{name, in.kindCell(), in.defaultCell(), cell(in.Description)}, " | ") + " |\n")
	}
	text.WriteString("\n¹ may also stand under `policy:` in the fleet file; an input that is given wins.\n")
	return text.String()
}

func (in Input) kindCell() string {
	if in.Kind == Choice {
		return "`" + strings.Join(in.Choices, "`, `") + "`"
	}
	return string(in.Kind)
}

func (in Input) defaultCell() string {
	switch {
	case in.Required:
		return "**required**"
	case in.Default != "":
		return "`" + in.Default + "`"
	}
	return cell(in.Unset)
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// ActionYAML is the whole text of action.yml.
// https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax
func ActionYAML() string {
	var text strings.Builder
	// The Marketplace takes a description of up to 125 characters (as its form
	// says when a release is drafted).
	text.WriteString(`# Made from the tables in internal/action/table.go; change those.
name: 'ecs-fleet'
description: 'Deploy one image tag to many Amazon ECS environments in parallel, never failing because AWS throttles it.'
author: 'The ecs-fleet authors'
branding:
  icon: 'send'
  color: 'orange'

inputs:
`)
	for _, in := range Table() {
		in.writeYAML(&text)
	}
	text.WriteString("\noutputs:\n")
	for _, out := range outputTable() {
		text.WriteString("  " + out.Name + ":\n    description: " + quoteYAML(out.Description) + "\n")
	}
	text.WriteString("\nruns:\n  using: 'docker'\n  image: 'Dockerfile'\n")
	return text.String()
}

func (in Input) writeYAML(text *strings.Builder) {
	text.WriteString("  " + in.Name + ":\n    description: " + quoteYAML(in.yamlDescription()) + "\n")
	if in.Required {
		text.WriteString("    required: true\n")
	}
	if in.runnerDefault() {
		text.WriteString("    default: " + quoteYAML(in.Default) + "\n")
	}
}

// runnerDefault says whether the runner is to fill in the default. A policy's
// input must arrive empty when the workflow does not give it, or the default
// would win over the fleet file's policy.
func (in Input) runnerDefault() bool { return in.Default != "" && !in.Policy }

func (in Input) yamlDescription() string {
	if in.Required || in.runnerDefault() || in.unset() == "none" {
		return in.Description
	}
	return in.Description + " Default: " + in.unset() + "."
}

func quoteYAML(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

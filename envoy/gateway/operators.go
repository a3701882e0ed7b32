package gateway

import "path/filepath"

// Operators is where the operators' changes are kept, with their history and the published versions. Exactly one of File and DynamoDB;
// default: the file operators.db in Campaigns.StateDir.
type Operators struct {
	// File is an embedded store for one control plane: bbolt.
	File     string             `yaml:"file"`
	DynamoDB *OperatorsDynamoDB `yaml:"dynamodb"`
}

// OperatorsDynamoDB is a store for any number of control planes. Credentials come from the AWS SDK's chain: environment, files, role.
type OperatorsDynamoDB struct {
	// Table is made by `adsidecar init`.
	Table string `yaml:"table"`
	// Region has no default.
	Region string `yaml:"region"`
	// Endpoint replaces AWS's own.
	Endpoint string `yaml:"endpoint"`
}

// Guards hold a new index back until an operator has confirmed it.
type Guards struct {
	// MaxRemovedShare is the share of the served ads, 0 to 1, that a change or a poll may remove. 1: any.
	MaxRemovedShare float64 `yaml:"max_removed_share"`
}

// OperatorsFile is the file of the operators' changes; empty if they are in DynamoDB.
func (c *Campaigns) OperatorsFile() string {
	switch {
	case c.Operators.DynamoDB != nil:
		return ""
	case c.Operators.File != "":
		return c.Operators.File
	}
	return filepath.Join(c.StateDir, "operators.db")
}

func (o *Operators) applyDefaults() {
	if o.DynamoDB != nil {
		set(&o.DynamoDB.Table, "adsidecar-operators")
	}
}

func (p *parser) operators(o *Operators) {
	d := o.DynamoDB
	p.check(d == nil || o.File == "", "campaigns.operators", "needs one of file and dynamodb")
	if d == nil {
		return
	}
	p.check(tableName.MatchString(d.Table), "campaigns.operators.dynamodb.table",
		"%s is not a table's name of 3 to 243 characters", p.quote("campaigns.operators.dynamodb.table", d.Table))
	p.check(d.Region != "", "campaigns.operators.dynamodb.region", "is missing")
	p.check(d.Region == "" || region.MatchString(d.Region), "campaigns.operators.dynamodb.region",
		"%s is not a region such as eu-west-1", p.quote("campaigns.operators.dynamodb.region", d.Region))
	p.endpoint("campaigns.operators.dynamodb.endpoint", d.Endpoint)
}

func (p *parser) guards(g *Guards) {
	p.check(g.MaxRemovedShare >= 0 && g.MaxRemovedShare <= 1, "guards.max_removed_share",
		"%s is not between 0 and 1", p.quote("guards.max_removed_share", g.MaxRemovedShare))
}

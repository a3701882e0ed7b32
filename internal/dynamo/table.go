package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"adsidecar/internal/awsclient"
)

// Table is a table as [Ensure] makes it.
type Table struct {
	Name string
	// Key is the partition key, a string. There is no sort key.
	Key string
	// Expires is a number attribute, in Unix seconds, after which DynamoDB removes the item, some time later. Empty: none is removed.
	Expires string
	// Protected tables cannot be deleted before that is taken back, and can be restored to any second of the last 35 days.
	Protected bool
}

const (
	// pollTable is how often a table that is being made is looked at; AWS takes some ten seconds for one.
	pollTable = time.Second
	// pollBackups is for point-in-time recovery, which AWS refuses for a moment after it has made a table.
	pollBackups = 2 * time.Second
	backupTries = 15
)

// Ensure makes the table if it is not there, paid by request and encrypted with the account's key, and waits until it can be used. Doing
// it twice, or twice at once, is as good as once. A table that is there gets what is missing of Expires and recovery, nothing else; one
// with another key is an error, and is left as it is.
func Ensure(ctx context.Context, c *dynamodb.Client, t Table) error {
	if err := ensure(ctx, c, t); err != nil {
		return fmt.Errorf("make the table %s: %w", t.Name, err)
	}
	return nil
}

func ensure(ctx context.Context, c *dynamodb.Client, t Table) error {
	there, err := describe(ctx, c, t)
	if err != nil {
		return err
	}
	if there == nil {
		if err := create(ctx, c, t); err != nil {
			return err
		}
	}
	for there == nil || there.TableStatus != types.TableStatusActive {
		if there, err = describe(ctx, c, t); err != nil {
			return err
		}
		if there != nil && there.TableStatus == types.TableStatusActive {
			break
		}
		if err := Pause(ctx, pollTable); err != nil {
			return err
		}
	}
	return errors.Join(ensureExpiry(ctx, c, t), ensureBackups(ctx, c, t))
}

// describe returns nil for a table that is not there, and an error for one that is another.
func describe(ctx context.Context, c *dynamodb.Client, t Table) (*types.TableDescription, error) {
	out, err := c.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.Name})
	if Missing(err) {
		return nil, nil //nolint:nilnil // said above
	}
	if err != nil {
		return nil, err
	}
	if !sameKey(out.Table, t.Key) {
		return nil, fmt.Errorf("there is one with another key: it must have the partition key %s, a string, and no sort key", t.Key)
	}
	return out.Table, nil
}

func sameKey(there *types.TableDescription, key string) bool {
	if len(there.KeySchema) != 1 || aws.ToString(there.KeySchema[0].AttributeName) != key {
		return false
	}
	for _, a := range there.AttributeDefinitions {
		if aws.ToString(a.AttributeName) == key {
			return a.AttributeType == types.ScalarAttributeTypeS
		}
	}
	return false
}

func create(ctx context.Context, c *dynamodb.Client, t Table) error {
	_, err := c.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:                 &t.Name,
		AttributeDefinitions:      []types.AttributeDefinition{{AttributeName: &t.Key, AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:                 []types.KeySchemaElement{{AttributeName: &t.Key, KeyType: types.KeyTypeHash}},
		BillingMode:               types.BillingModePayPerRequest,
		SSESpecification:          &types.SSESpecification{Enabled: aws.Bool(true)},
		DeletionProtectionEnabled: &t.Protected,
	})
	var taken *types.ResourceInUseException
	if errors.As(err, &taken) {
		return nil // another one was faster, or our first try was applied
	}
	return err
}

func ensureExpiry(ctx context.Context, c *dynamodb.Client, t Table) error {
	if t.Expires == "" {
		return nil
	}
	on, err := expires(ctx, c, t)
	if err != nil || on {
		return err
	}
	_, err = c.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &t.Name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &t.Expires, Enabled: aws.Bool(true)},
	})
	if awsclient.Code(err) == "ValidationException" {
		// AWS refuses to enable it again: another one was faster, or our first try was applied.
		if on, err := expires(ctx, c, t); err != nil || on {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("let items expire: %w", err)
	}
	return nil
}

// expires reports whether items expire by the table's attribute, or are about to. That they do by another one is an error.
func expires(ctx context.Context, c *dynamodb.Client, t Table) (bool, error) {
	there, err := c.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &t.Name})
	if err != nil {
		return false, fmt.Errorf("read when items expire: %w", err)
	}
	d := there.TimeToLiveDescription
	if d == nil || d.TimeToLiveStatus != types.TimeToLiveStatusEnabled && d.TimeToLiveStatus != types.TimeToLiveStatusEnabling {
		return false, nil
	}
	if aws.ToString(d.AttributeName) != t.Expires {
		return false, fmt.Errorf("items expire by %s, not by %s", aws.ToString(d.AttributeName), t.Expires)
	}
	return true, nil
}

func ensureBackups(ctx context.Context, c *dynamodb.Client, t Table) error {
	if !t.Protected {
		return nil
	}
	var err error
	for range backupTries {
		_, err = c.UpdateContinuousBackups(ctx, &dynamodb.UpdateContinuousBackupsInput{
			TableName: &t.Name,
			PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{
				PointInTimeRecoveryEnabled: aws.Bool(true),
			},
		})
		if awsclient.Code(err) != "ContinuousBackupsUnavailableException" {
			break
		}
		if err := Pause(ctx, pollBackups); err != nil {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("enable point-in-time recovery: %w", err)
	}
	return nil
}

// Pause waits for d, or returns the error of ctx when that ends before.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

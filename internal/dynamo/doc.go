// Package dynamo is what every store in DynamoDB needs: tables that are made once, errors told apart, and attributes read leniently.
// It knows no table of its own.
package dynamo

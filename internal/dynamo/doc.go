// Package dynamo is what every store in DynamoDB needs: tables that are made once, errors told apart, attributes read leniently, and
// whether an earlier try of a write may have been applied ([Tries]). It knows no table of its own.
package dynamo

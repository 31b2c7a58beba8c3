// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"reflect"

	datasource "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	ephemeral "github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	resource "github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

// ephemeralAttributes returns the attributes of a data source as those of an ephemeral
// resource, so that each is described and validated in one place.
func ephemeralAttributes(attributes map[string]datasource.Attribute) map[string]ephemeral.Attribute {
	return twins[ephemeral.Attribute](attributes,
		ephemeral.StringAttribute{}, ephemeral.Int64Attribute{}, ephemeral.BoolAttribute{}, ephemeral.ListAttribute{},
		ephemeral.MapAttribute{}, ephemeral.SingleNestedAttribute{}, ephemeral.ListNestedAttribute{})
}

// resourceAttributes returns them as those of a resource.
func resourceAttributes(attributes map[string]datasource.Attribute) map[string]resource.Attribute {
	return twins[resource.Attribute](attributes,
		resource.StringAttribute{}, resource.Int64Attribute{}, resource.BoolAttribute{}, resource.ListAttribute{},
		resource.MapAttribute{}, resource.SingleNestedAttribute{})
}

// twins copies what attributes of two kinds of schema have in common, which is all that
// our data sources use. Another kind of attribute is a mistake that every test finds.
func twins[A any](attributes map[string]datasource.Attribute, kinds ...A) map[string]A {
	converted := make(map[string]A, len(attributes))

	for name, attribute := range attributes {
		from := reflect.ValueOf(attribute)
		twin := false

		for _, kind := range kinds {
			if reflect.TypeOf(kind).Name() == from.Type().Name() {
				converted[name], twin = twinOf(from, kind, kinds), true
			}
		}

		if !twin {
			panic(fmt.Sprintf("no twin of a %T", attribute))
		}
	}

	return converted
}

func twinOf[A any](from reflect.Value, kind A, kinds []A) A {
	to := reflect.New(reflect.TypeOf(kind)).Elem()

	for field, value := range from.Fields() {
		target := to.FieldByName(field.Name)

		switch v := value.Interface().(type) {
		case map[string]datasource.Attribute:
			target.Set(reflect.ValueOf(twins(v, kinds...)))
		case datasource.NestedAttributeObject:
			target.FieldByName("Attributes").Set(reflect.ValueOf(twins(v.Attributes, kinds...)))
		default:
			target.Set(value)
		}
	}

	twin, ok := reflect.TypeAssert[A](to)
	if !ok {
		panic(fmt.Sprintf("a %s is no attribute", to.Type())) // It was given as one.
	}

	return twin
}

// checkedTimeouts has timeouts validated by our form. The module's own validator says
// what the value is, which may be sensitive, and lets pass what is no length of time.
func checkedTimeouts[A any](all A) A {
	attributes := reflect.ValueOf(all).FieldByName("Attributes")

	for _, name := range attributes.MapKeys() {
		checked := reflect.New(attributes.MapIndex(name).Elem().Type()).Elem()
		checked.Set(attributes.MapIndex(name).Elem())
		checked.FieldByName("Validators").Set(reflect.ValueOf(texts(source.DurationForm())))
		attributes.SetMapIndex(name, checked)
	}

	return all
}
